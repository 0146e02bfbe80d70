/**
 * Histories as drawn: bars of several metrics on common slots. Time in which the exchange was closed takes no room; bars
 * that are missing within a session do, and stay empty.
 */
import { ratio } from "../format";
import type { BarsAnswer, OhlcBar } from "./answers";
import type { Show, Table, Values } from "./figure";
import { type Formats, plainTick, short, type Tick, volTick } from "./formats";
import { slotLabel } from "./timeline";

export interface Pane {
  readonly label: string;
  readonly metric: string;
  readonly open: Values;
  readonly high: Values;
  readonly low: Values;
  readonly close: Values;
  /** Whether the last bar is still being formed. */
  readonly forming: boolean;
}

export interface History {
  /** Starts of slots in UTC epoch milliseconds, rising. */
  readonly starts: readonly number[];
  /** Slots that begin a new stretch of trading. */
  readonly breaks: readonly number[];
  readonly panes: readonly Pane[];
}

/** A stretch of missing bars takes no more slots than that. */
const MISSING_AT_MOST = 60;

/** `answers` of one interval, one for each pane, in the order of panes. */
export function history(answers: readonly BarsAnswer[], labels: readonly string[]): History {
  const starts = [
    ...new Set(answers.flatMap((answer) => [...answer.bars.map((bar) => bar.start_ts), ...missing(answer)])),
  ];
  starts.sort((a, b) => a - b);
  const slots = trimmed(starts, answers);
  return {
    starts: slots,
    breaks: breaks(slots, answers),
    panes: answers.map((answer, i) => pane(answer, labels[i] ?? answer.metric, slots)),
  };
}

/** Starts of the bars that are missing while the exchange trades. */
function missing({ gaps }: BarsAnswer): number[] {
  return gaps
    .filter((gap) => gap.in_session)
    .flatMap(({ from_ts, to_ts, bars }) => {
      const width = (to_ts - from_ts) / bars;
      return Array.from({ length: Math.min(bars, MISSING_AT_MOST) }, (_, i) => from_ts + i * width);
    });
}

/** What no pane knows at either end has no room: a platform that was started an hour ago has no empty day before. */
function trimmed(starts: readonly number[], answers: readonly BarsAnswer[]): number[] {
  const known = answers.flatMap((answer) => answer.bars.map((bar) => bar.start_ts));
  const [first, last] = [Math.min(...known), Math.max(...known)];
  return starts.filter((start) => start >= first && start <= last);
}

function breaks(slots: readonly number[], answers: readonly BarsAnswer[]): number[] {
  const closed = answers[0]?.gaps.filter((gap) => !gap.in_session) ?? [];
  return slots.flatMap((start, i) => {
    const before = slots[i - 1];
    return before !== undefined && closed.some((gap) => gap.from_ts > before && gap.to_ts <= start) ? [i] : [];
  });
}

function pane({ bars, metric }: BarsAnswer, label: string, slots: readonly number[]): Pane {
  const at = new Map(bars.map((bar) => [bar.start_ts, bar]));
  const column = (part: "open" | "high" | "low" | "close"): Values =>
    slots.map((start) => at.get(start)?.[part] ?? null);
  return {
    label,
    metric,
    open: column("open"),
    high: column("high"),
    low: column("low"),
    close: column("close"),
    forming: bars.at(-1)?.complete === false,
  };
}

/** `known` with the newer answer `tail` of the same question over its end: bars from there on are those of `tail`. */
export function extended(known: BarsAnswer, tail: BarsAnswer, from: number): BarsAnswer {
  const first = tail.bars[0]?.start_ts ?? Number.POSITIVE_INFINITY;
  const gaps = known.gaps.filter((gap) => gap.from_ts < tail.from_ts);
  const bars: readonly OhlcBar[] = [
    ...known.bars.filter((bar) => bar.start_ts < Math.min(first, tail.from_ts)),
    ...tail.bars,
  ];
  return {
    ...tail,
    from_ts: Math.max(known.from_ts, from),
    bars: bars.filter((bar) => bar.start_ts >= from),
    gaps: [...gaps, ...tail.gaps.filter((gap) => gap.from_ts >= tail.from_ts)],
  };
}

export function historyTable({ starts, panes }: History, timezone: string, written: readonly Written[]): Table {
  const parts = ["open", "high", "low", "close"] as const;
  return {
    columns: [
      { title: "start_ts", show: (start) => slotLabel(start, timezone, "both") },
      ...panes.flatMap(({ metric }, i) =>
        parts.map((part) => ({ title: `${metric} ${part}`, show: written[i]?.show })),
      ),
    ],
    rows: starts.map((start, slot) => [
      start,
      ...panes.flatMap((pane) => parts.map((part) => pane[part][slot] ?? null)),
    ]),
  };
}

export function historySummary(
  { starts, panes }: History,
  interval: string,
  timezone: string,
  written: readonly Written[],
): string {
  const [first, last] = [starts[0], starts.at(-1)];
  if (first === undefined || last === undefined) return "There are no bars.";
  const ends = panes.map(({ label, close }, i) => {
    const known = close.filter((value) => value !== null);
    const [from, to] = [known[0], known.at(-1)];
    const show = written[i]?.show ?? String;
    return from === undefined || to === undefined
      ? `${label}: not known`
      : `${label} from ${show(from)} to ${show(to)}`;
  });
  return `Bars of ${interval} from ${slotLabel(first, timezone, "both")} to ${slotLabel(last, timezone, "both")}. ${ends.join("; ")}.`;
}

export interface Written {
  readonly show: Show;
  readonly tick: Tick;
}

/** How a metric of an expiry is written. */
export function written(metric: string, formats: Formats): Written {
  if (metric === "iv_atm") return { show: formats.vol, tick: volTick };
  if (metric === "smile_rmse") return { show: formats.error, tick: formats.error };
  if (/^(rr25|bf25)$/.test(metric)) return { show: formats.volPoints, tick: formats.volPoints };
  if (/^(gex_net|gamma_density)$/.test(metric)) return { show: formats.money, tick: short(formats.money) };
  if (/^(call|put)_(open_interest|volume)$/.test(metric))
    return { show: formats.compact, tick: short(formats.compact) };
  if (/^(pcr_|skew_|smile_g_min|parity_residual)/.test(metric))
    return { show: (value) => ratio(value, 3), tick: plainTick };
  return { show: formats.price, tick: formats.priceTick };
}
