/** A smile as drawn: what the market quotes out of the money, the fitted curve, and what stands out on it. */
import * as format from "../format";
import type { SmileAnswer, SmileSide, Violation } from "./answers";
import { between, known, type Note, type Plot, type Values } from "./figure";
import { type Formats, plainTick, volTick } from "./formats";

export interface SmileOptions {
  readonly axis: "strike" | "moneyness";
  /** Every quoted strike, instead of those around the fit. */
  readonly whole: boolean;
  readonly violations: readonly Violation[];
}

/** Shares of the fitted range that are shown beside it. */
const BESIDE = 0.6;
const CALL_DELTA = 0.25;
const PUT_DELTA = -0.25;

export function smilePlot(answer: SmileAnswer, { axis, whole, violations }: SmileOptions, formats: Formats): Plot {
  const seen = shown(answer, whole);
  const pick = <T>(column: readonly T[]): T[] => seen.map((i) => column[i] as T);
  const x = pick(axis === "strike" ? answer.strikes : answer.moneyness) as number[];
  const moneyness = pick(answer.moneyness);
  const [puts, calls] = sides(answer, seen);
  const fitted = pick(answer.fitted_iv);
  const within = (k: number | null | undefined): boolean =>
    answer.fit !== null && k != null && k >= answer.fit.k_low && k <= answer.fit.k_high;
  const quoted = fitted.map((iv, i) => (within(moneyness[i]) ? iv : null));
  // The outer parts begin where the inner one ends, or there would be holes.
  const outer = fitted.map((iv, i) => ([i - 1, i, i + 1].every((j) => within(moneyness[j])) ? null : iv));
  const showX = axis === "strike" ? formats.strike : (k: number): string => format.ratio(k, 3);
  return {
    x,
    xTitle: axis === "strike" ? "Strike" : "Moneyness ln(K/F)",
    yTitle: "Implied volatility",
    showX,
    showY: formats.vol,
    ...(axis === "moneyness" ? { tickX: plainTick } : {}),
    tickY: volTick,
    traces: [
      { kind: "whisker", label: "Put bid–ask", tone: "put", low: puts.bid_iv, high: puts.ask_iv },
      { kind: "whisker", label: "Call bid–ask", tone: "call", low: calls.bid_iv, high: calls.ask_iv },
      { kind: "line", label: "Fitted", tone: "fit", y: quoted },
      { kind: "line", label: "Fitted", tone: "fit", y: outer, dashed: true, unlisted: true },
      { kind: "points", label: "Put mid", tone: "put", y: puts.iv, shape: "square" },
      { kind: "points", label: "Call mid", tone: "call", y: calls.iv, shape: "round" },
    ],
    marks: forwardMark(answer, axis, formats),
    notes: [...riskReversal(answer, seen, x, fitted), ...faults(violations, moneyness, x, fitted)],
    zero: false,
    at: formats.clock(answer.source_ts),
    summary: summary(answer, violations, formats),
    table: {
      columns: [
        { title: "Strike", show: formats.strike },
        { title: "ln(K/F)", show: (k) => format.ratio(k, 4) },
        ...["Put bid", "Put mid", "Put ask", "Call bid", "Call mid", "Call ask", "Fitted"].map((title) => ({
          title,
          show: formats.vol,
        })),
        { title: "In the fit" },
      ],
      rows: seen.map((i, row) => [
        answer.strikes[i] as number,
        answer.moneyness[i] ?? null,
        ...[answer.puts, answer.calls].flatMap((side) => [
          side.bid_iv[i] ?? null,
          side.iv[i] ?? null,
          side.ask_iv[i] ?? null,
        ]),
        fitted[row] ?? null,
        answer.used[i] ? "yes" : "no",
      ]),
    },
  };
}

/** Indices of strikes: those within and beside the range of the fit, else all with a quoted volatility. */
function shown({ strikes, moneyness, calls, puts, fit, forward }: SmileAnswer, whole: boolean): number[] {
  const all = strikes.map((_, i) => i);
  const isQuoted = (i: number): boolean => {
    const side = forward !== null && (strikes[i] as number) < forward ? puts : calls;
    return side.iv[i] != null || side.ask_iv[i] != null;
  };
  const quoted = all.filter(isQuoted);
  const ends = [quoted[0], quoted.at(-1)];
  if (whole || fit === null) return all.filter((i) => i >= (ends[0] ?? 0) && i <= (ends[1] ?? strikes.length));
  const room = (fit.k_high - fit.k_low) * BESIDE;
  return all.filter((i) => {
    const k = moneyness[i];
    return k != null && k >= fit.k_low - room && k <= fit.k_high + room;
  });
}

type Quoted = Pick<SmileSide, "iv" | "bid_iv" | "ask_iv">;

/** Quotes out of the money: puts below the forward, calls from there. */
function sides({ strikes, forward, calls, puts }: SmileAnswer, seen: readonly number[]): [Quoted, Quoted] {
  const of = (side: SmileSide, isPut: boolean): Quoted => {
    const column = (values: Values): (number | null)[] =>
      seen.map((i) => ((strikes[i] as number) < (forward ?? 0) === isPut ? (values[i] ?? null) : null));
    return { iv: column(side.iv), bid_iv: column(side.bid_iv), ask_iv: column(side.ask_iv) };
  };
  return [of(puts, true), of(calls, false)];
}

function forwardMark(
  { forward, strikes, moneyness }: SmileAnswer,
  axis: SmileOptions["axis"],
  formats: Formats,
): Plot["marks"] {
  if (forward === null) return [];
  const at = axis === "strike" ? forward : between(strikes, moneyness, forward);
  return at === null ? [] : [{ at, label: `forward ${formats.strike(Math.round(forward))}`, tone: "muted" }];
}

/** The chord between the 25-delta put and call: its slope is the risk reversal, its height over the curve the butterfly. */
function riskReversal(answer: SmileAnswer, seen: readonly number[], x: readonly number[], fitted: Values): Note[] {
  if (answer.rr25 === null) return [];
  const place = (side: SmileSide, delta: number): readonly [number, number] | null => {
    const at = between(
      seen.map((i) => side.delta[i] ?? null),
      x,
      delta,
    );
    const iv = at === null ? null : between(x, fitted, at);
    return at === null || iv === null ? null : [at, iv];
  };
  const [put, call] = [place(answer.puts, PUT_DELTA), place(answer.calls, CALL_DELTA)];
  if (put === null || call === null) return [];
  return [
    { at: put, to: call, tone: "second" },
    { at: put, shape: "diamond", label: "25Δ put", side: "left", tone: "second" },
    { at: call, shape: "diamond", label: "25Δ call", side: "right", tone: "second" },
  ];
}

function faults(violations: readonly Violation[], moneyness: Values, x: readonly number[], fitted: Values): Note[] {
  return violations.flatMap((violation) => {
    const at = between(moneyness, x, violation.moneyness);
    const iv = at === null ? null : between(x, fitted, at);
    return at === null || iv === null ? [] : [{ at: [at, iv] as const, shape: "cross" as const, tone: "bad" as const }];
  });
}

export const describedViolation = (
  { kind, expiry, moneyness, tradable, quoted }: Violation,
  formats: Formats,
): string =>
  [
    `${kind[0]?.toUpperCase()}${kind.slice(1)} of ${formats.day(expiry)} at ln(K/F) ${format.ratio(moneyness, 3)}`,
    tradable ? "in bids and asks" : quoted ? "in the fitted smile" : "in the extrapolated wing",
  ].join(", ");

function summary(
  { product, expiry, iv_atm, rr25, bf25, fit, fitted_iv }: SmileAnswer,
  violations: readonly Violation[],
  formats: Formats,
): string {
  const say = (value: number | null, show: (value: number) => string): string =>
    value === null ? "not known" : show(value);
  const range = known(fitted_iv);
  return [
    `Implied volatility of ${product} ${formats.day(expiry)} by strike.`,
    `At the money ${say(iv_atm, formats.vol)}, 25-delta risk reversal ${say(rr25, formats.volPoints)} and butterfly ${say(bf25, formats.volPoints)}.`,
    fit === null || range.length === 0
      ? "No curve could be fitted."
      : `The curve was fitted to ${fit.points} quotes; its error is ${formats.error(fit.rmse)}.`,
    violations.length === 0 ? "No arbitrage was found." : `${violations.length} violations of no-arbitrage.`,
  ].join(" ");
}
