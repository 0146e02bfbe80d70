/** A surface as a heat map of expiries, and the term structure at the money. */
import * as format from "../format";
import type { Surface } from "../messages";
import type { SurfaceGrid, TermAnswer, Violation } from "./answers";
import { known, type Matrix, nearest, type Plot } from "./figure";
import { type Formats, volTick } from "./formats";

export type Axis = SurfaceGrid["axis"];

/** Undiscounted forward delta of a call that halves the axis: beyond it, the put is out of the money. */
const MIDDLE_DELTA = 0.5;
const DAYS = 365;

/** The state of the channel has the grid by moneyness; for other axes the API is asked. */
export function gridOf(state: Surface): SurfaceGrid {
  return {
    axis: "moneyness",
    points: state.moneyness,
    rows: state.slices.map(({ expiry, dte_years, forward, iv }) => ({ expiry, dte_years, forward, iv })),
  };
}

/** What the state of the channel and the answer of REST have in common. */
export type SurfaceHead = Pick<Surface, "product" | "model" | "source_ts" | "violations" | "violation_count">;

/** Columns of which no expiry knows anything are left out. */
export function surfaceMatrix(
  { product, source_ts, violations }: SurfaceHead,
  grid: SurfaceGrid,
  formats: Formats,
): Matrix {
  const kept = grid.points.map((_, i) => i).filter((i) => grid.rows.some((row) => row.iv[i] != null));
  // Deltas fall as strikes rise: low strikes stand on the left of each axis.
  if (grid.axis === "delta") kept.reverse();
  const points = kept.map((i) => grid.points[i] as number);
  const rows = grid.rows.map((row) => ({ label: formats.day(row.expiry), cells: kept.map((i) => row.iv[i] ?? null) }));
  const values = rows.flatMap((row) => known(row.cells));
  const label = labelled(grid.axis, formats);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return {
    xTitle: { strike: "Strike", moneyness: "Moneyness ln(K/F)", delta: "Delta" }[grid.axis],
    xLabels: points.map(label),
    rows,
    shade: { kind: "scale", low, high, show: formats.vol },
    faults: grid.axis === "moneyness" ? faults(grid, points, violations, formats) : [],
    marks: middle(grid, points),
    at: formats.clock(source_ts),
    summary:
      values.length === 0
        ? `No surface of ${product} is known.`
        : `Implied volatility of ${product} by ${grid.axis} for ${rows.length} expiries, from ${formats.vol(low)} to ${formats.vol(high)}.` +
          (violations.length > 0 ? ` ${violations.length} violations of no-arbitrage.` : ""),
    table: {
      columns: [{ title: "Expiry" }, ...points.map((point) => ({ title: label(point), show: formats.vol }))],
      rows: rows.map((row) => [row.label, ...row.cells]),
    },
  };
}

function labelled(axis: Axis, formats: Formats): (point: number) => string {
  if (axis === "strike") return formats.strike;
  if (axis === "moneyness") return (k) => format.ratio(k);
  return (delta) => {
    const percent = Math.round(100 * Math.min(delta, 1 - delta));
    return delta === MIDDLE_DELTA ? "50Δ" : `${percent}Δ${delta > MIDDLE_DELTA ? "P" : "C"}`;
  };
}

function faults(
  grid: SurfaceGrid,
  points: readonly number[],
  violations: readonly Violation[],
  formats: Formats,
): Matrix["faults"] {
  return violations.flatMap(({ kind, expiry, moneyness }) => {
    const row = grid.rows.findIndex((candidate) => candidate.expiry === expiry);
    if (row < 0 || points.length === 0) return [];
    return [{ row, column: nearest(points, moneyness), label: `${kind} of ${formats.day(expiry)}` }];
  });
}

function middle(grid: SurfaceGrid, points: readonly number[]): Matrix["marks"] {
  const at = { strike: grid.rows[0]?.forward, moneyness: 0, delta: MIDDLE_DELTA }[grid.axis];
  if (at === undefined || points.length === 0) return [];
  return [{ column: nearest(points, at), label: grid.axis === "strike" ? "forward" : "at the money" }];
}

/** At-the-money volatility over calendar days, and between each expiry and the one before. */
export function termPlot(answer: TermAnswer, formats: Formats): Plot {
  const expiries = answer.expiries.map((item) => ({ ...item, days: item.dte_years * DAYS }));
  const constant = answer.constant_maturity.filter((point) => point.iv !== null);
  const x = [...new Set([...expiries.map((item) => item.days), ...constant.map((point) => point.days)])].sort(
    (a, b) => a - b,
  );
  const at = <T extends { readonly days: number }>(
    items: readonly T[],
    read: (item: T) => number | null,
  ): (number | null)[] =>
    x.map((days) => {
      const item = items.find((candidate) => candidate.days === days);
      return item === undefined ? null : read(item);
    });
  const names = new Map(expiries.map((item) => [item.days, formats.day(item.expiry)]));
  const days = (value: number): string => names.get(value) ?? `${Number(value.toFixed(1))} d`;
  const atm = at(expiries, (item) => item.iv_atm);
  return {
    x,
    xTitle: "Calendar days",
    yTitle: "Implied volatility",
    showX: days,
    showY: formats.vol,
    tickY: volTick,
    traces: [
      { kind: "line", label: "At the money", tone: "fit", y: joined(atm) },
      {
        kind: "line",
        label: "Forward",
        tone: "second",
        y: joined(at(expiries, (item) => item.forward_iv)),
        dashed: true,
      },
      { kind: "points", label: "At the money", tone: "fit", y: atm, shape: "round", unlisted: true },
      {
        kind: "points",
        label: "Forward",
        tone: "second",
        y: at(expiries, (item) => item.forward_iv),
        shape: "square",
        unlisted: true,
      },
      {
        kind: "points",
        label: "Constant maturity",
        tone: "ink",
        y: at(constant, (point) => point.iv),
        shape: "diamond",
      },
    ],
    marks: [],
    notes: [],
    zero: false,
    at: formats.clock(answer.source_ts),
    summary:
      `At-the-money volatility of ${answer.product} by expiry: ` +
      `${expiries.map((item) => `${formats.day(item.expiry)} ${item.iv_atm === null ? "not known" : formats.vol(item.iv_atm)}`).join(", ")}.`,
    table: {
      columns: [
        { title: "Expiry" },
        { title: "Days", show: (value) => value.toFixed(1) },
        { title: "Forward price", show: formats.price },
        { title: "At the money", show: formats.vol },
        { title: "Forward volatility", show: formats.vol },
        { title: "Risk reversal 25Δ", show: formats.volPoints },
        { title: "Butterfly 25Δ", show: formats.volPoints },
      ],
      rows: [
        ...expiries.map((item) => [
          formats.day(item.expiry),
          item.days,
          item.forward,
          item.iv_atm,
          item.forward_iv,
          item.rr25,
          item.bf25,
        ]),
        ...answer.constant_maturity.map((point) => ["constant maturity", point.days, null, point.iv, null, null, null]),
      ],
    },
  };
}

/** Undefined does not interrupt a line, null does: instants of other traces are no holes in this one. */
function joined(values: readonly (number | null)[]): (number | null)[] {
  return values.map((value) => value ?? (undefined as unknown as null));
}
