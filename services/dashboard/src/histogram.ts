/** A histogram of latencies as bars of equal width, one for each bucket. Pure. */

export interface Buckets {
  readonly bounds_ms: readonly number[];
  /** One more than bounds: the last is what was above all of them. */
  readonly counts: readonly number[];
}

export interface Quantiles {
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
}

export interface Bar {
  /** 0 to 1, of the largest. */
  readonly share: number;
  readonly count: number;
  /** "25 to 50 ms". */
  readonly words: string;
}

/** Without the empty buckets at the end, but at least `least` of them, so that bars do not jump about. */
export function bars({ bounds_ms: bounds, counts }: Buckets, least = 6): Bar[] {
  const largest = Math.max(1, ...counts);
  let last = counts.length;
  while (last > least && counts[last - 1] === 0) last -= 1;
  return counts.slice(0, last).map((count, turn) => ({ share: count / largest, count, words: between(bounds, turn) }));
}

/** Where `ms` lies, in buckets from the left: 1.5 is in the middle of the second. Above the last bound it is the last. */
export function place(ms: number, bounds: readonly number[]): number {
  const turn = bounds.findIndex((bound) => ms <= bound);
  if (turn < 0) return bounds.length;
  const lower = bounds[turn - 1] ?? 0;
  return turn + (ms - lower) / ((bounds[turn] as number) - lower);
}

/** 0.42 ms, 4.2 ms, 42 ms, 4.2 s. */
export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value >= 999.5) return `${(value / 1_000).toFixed(value >= 9_995 ? 0 : 1)} s`;
  return `${value.toFixed(value < 0.995 ? 2 : value < 9.95 ? 1 : 0)} ms`;
}

/** A quantile in words: of what lies above the last bound only that is known. */
export function quantileOf(latency: Buckets & Quantiles, name: keyof Quantiles): string {
  const ms = latency[name];
  const isAbove = ms !== null && ms >= (latency.bounds_ms.at(-1) ?? Number.POSITIVE_INFINITY);
  return isAbove ? `> ${milliseconds(ms)}` : milliseconds(ms);
}

/** The bound alone, for an axis: 2.5, 250, 1 s. */
export function tick(bound: number): string {
  return bound >= 1_000 ? `${bound / 1_000} s` : `${bound}`;
}

function between(bounds: readonly number[], turn: number): string {
  const upper = bounds[turn];
  if (upper === undefined) return `above ${milliseconds(bounds.at(-1))}`;
  return turn === 0 ? `up to ${milliseconds(upper)}` : `${milliseconds(bounds[turn - 1])} to ${milliseconds(upper)}`;
}
