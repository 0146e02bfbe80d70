/** Positioning as drawn: open interest and its change by strike, build-up classes, gamma exposure and max pain. */
import type { Metrics } from "../messages";
import {
  type Buildup,
  type BuildupAnswer,
  BUILDUPS,
  type GexAnswer,
  type MaxPainAnswer,
  type OiAnswer,
} from "./answers";
import { between, type Mark, type Matrix, nearest, type Plot, type Values } from "./figure";
import { type Formats, short } from "./formats";

export const BUILDUP_NAMES: Readonly<Record<Buildup, string>> = {
  long_buildup: "Long build-up",
  short_covering: "Short covering",
  short_buildup: "Short build-up",
  long_unwinding: "Long unwinding",
  neutral: "Neutral",
};

/** What is seen of the strikes: all, or so many on either side of the one nearest `centre`. */
export interface Window {
  readonly centre: number;
  readonly beside: number | null;
}

type Levels = Pick<Metrics, "spot" | "max_pain" | "call_oi_wall" | "put_oi_wall">;

export function oiPlot(answer: OiAnswer, levels: Levels, window: Window, formats: Formats): Plot {
  const { x, pick } = within(answer.strikes, window);
  const [calls, puts] = [pick(answer.calls.open_interest), pick(answer.puts.open_interest)];
  return {
    ...bars(x, puts, calls, formats),
    showY: formats.compact,
    tickY: short(formats.compact),
    marks: [
      mark(levels.spot, "spot", "ink", formats),
      mark(levels.max_pain, "max pain", "second", formats),
      mark(levels.put_oi_wall, "put wall", "put", formats),
      mark(levels.call_oi_wall, "call wall", "call", formats),
    ].filter(isWithin(x)),
    at: formats.clock(answer.source_ts),
    summary:
      `Open interest of ${answer.product} ${formats.day(answer.expiry)} by strike, in contracts.` +
      says(" Most calls are open at", levels.call_oi_wall, formats) +
      says(", most puts at", levels.put_oi_wall, formats) +
      says("; max pain is", levels.max_pain, formats),
    table: strikesTable(
      x,
      [
        ["Puts", puts, formats.count],
        ["Calls", calls, formats.count],
      ],
      formats,
    ),
  };
}

export function oiChangePlot(answer: OiAnswer, levels: Pick<Metrics, "spot">, window: Window, formats: Formats): Plot {
  const { x, pick } = within(answer.strikes, window);
  const [calls, puts] = [pick(answer.calls.open_interest_change), pick(answer.puts.open_interest_change)];
  const since = answer.from_ts === null ? "the previous close" : formats.time(answer.from_ts);
  const sum = (value: number | null): string => (value === null ? "not known" : formats.change(value));
  return {
    ...bars(x, puts, calls, formats),
    showY: formats.change,
    tickY: short(formats.change),
    marks: [mark(levels.spot, "spot", "ink", formats)].filter(isWithin(x)),
    at: formats.clock(answer.source_ts),
    summary:
      `Change of open interest of ${answer.product} ${formats.day(answer.expiry)} by strike since ${since}: ` +
      `calls ${sum(answer.call_open_interest_change)}, puts ${sum(answer.put_open_interest_change)} contracts in all.`,
    table: strikesTable(
      x,
      [
        ["Puts before", pick(answer.puts.open_interest_before), formats.count],
        ["Puts change", puts, formats.change],
        ["Calls before", pick(answer.calls.open_interest_before), formats.count],
        ["Calls change", calls, formats.change],
      ],
      formats,
    ),
  };
}

/** Classes of both sides by strike. */
export function buildupMatrix(answer: BuildupAnswer, window: Window, formats: Formats): Matrix {
  const { x, pick } = within(answer.strikes, window);
  const classes = (side: BuildupAnswer["calls"]): Values =>
    pick(side.buildup).map((name) => (name === null ? null : BUILDUPS.indexOf(name)));
  const rows = [
    { label: "Calls", cells: classes(answer.calls) },
    { label: "Puts", cells: classes(answer.puts) },
  ];
  const name = (index: number | null | undefined): string =>
    index == null ? "–" : BUILDUP_NAMES[BUILDUPS[index] as Buildup];
  const columns = [answer.calls, answer.puts].map((side) => ({
    price: pick(side.price_change),
    open: pick(side.open_interest_change),
  }));
  return {
    xTitle: "Strike",
    xLabels: x.map(formats.strike),
    rows,
    shade: { kind: "classes", names: BUILDUPS.map((key) => BUILDUP_NAMES[key]) },
    faults: [],
    marks: x.length === 0 ? [] : [{ column: nearest(x, window.centre), label: "at the money" }],
    at: formats.clock(answer.source_ts),
    summary: `Build-up of ${answer.product} ${formats.day(answer.expiry)} by strike. ${[answer.calls, answer.puts]
      .map((side, i) => `${i === 0 ? "Calls" : "Puts"}: ${largest(side.shares)}`)
      .join(". ")}.`,
    table: {
      columns: [
        { title: "Strike", show: formats.strike },
        ...["Calls", "Puts"].flatMap((side) => [
          { title: side },
          { title: `${side} price`, show: (value: number) => signedPrice(value, formats) },
          { title: `${side} OI`, show: formats.change },
        ]),
      ],
      rows: x.map((at, i) => [
        at,
        ...rows.flatMap((row, side) => [
          name(row.cells[i]),
          columns[side]?.price[i] ?? null,
          columns[side]?.open[i] ?? null,
        ]),
      ]),
    },
  };
}

/** Shares of classes in all change of open interest, largest classes as the API orders them; none if nothing changed. */
export function sharesOf(
  side: BuildupAnswer["calls"],
): { readonly class: number; readonly name: string; readonly share: number }[] {
  return BUILDUPS.map((key, i) => ({ class: i, name: BUILDUP_NAMES[key], share: side.shares?.[key] ?? 0 })).filter(
    ({ share }) => share > 0,
  );
}

export function gexPlot(answer: GexAnswer, window: Window, formats: Formats): Plot {
  const { x, pick } = within(answer.strikes, window);
  const [calls, puts, net] = [pick(answer.call_gex), pick(answer.put_gex), pick(answer.net_gex)];
  const sides = bars(x, puts, calls, formats);
  return {
    ...sides,
    traces: [...sides.traces, { kind: "points", label: "Net", tone: "ink", y: net, shape: "diamond" }],
    showY: formats.money,
    tickY: short(formats.money),
    marks: [
      mark(answer.spot, "spot", "ink", formats),
      mark(answer.put_wall, "put wall", "put", formats),
      mark(answer.call_wall, "call wall", "call", formats),
    ].filter(isWithin(x)),
    at: formats.clock(answer.source_ts),
    summary:
      `Gamma exposure of ${answer.product} by strike, per 1 % of the underlying: ` +
      `${answer.gex_net === null ? "net not known" : `net ${formats.money(answer.gex_net)}`}.` +
      says(" The call wall is", answer.call_wall, formats) +
      says(", the put wall", answer.put_wall, formats),
    table: strikesTable(
      x,
      [
        ["Puts", puts, formats.money],
        ["Calls", calls, formats.money],
        ["Net", net, formats.money],
      ],
      formats,
    ),
  };
}

export function gexProfilePlot(answer: GexAnswer, formats: Formats): Plot {
  const flip = answer.gex_flip;
  const atSpot = between(answer.spots, answer.gex_by_spot, answer.spot);
  return {
    x: answer.spots,
    xTitle: "Spot",
    yTitle: "Gamma exposure",
    showX: (value) => formats.strike(Math.round(value)),
    showY: formats.money,
    tickY: short(formats.money),
    traces: [{ kind: "line", label: "Repriced at each spot", tone: "fit", y: answer.gex_by_spot }],
    marks: [mark(answer.spot, "spot", "ink", formats), mark(flip, "flip", "second", formats)].filter(
      isWithin(answer.spots),
    ),
    notes: [
      ...(flip === null ? [] : [{ at: [flip, 0] as const, shape: "diamond" as const, tone: "second" as const }]),
      ...(atSpot === null
        ? []
        : [{ at: [answer.spot, atSpot] as const, shape: "round" as const, tone: "fit" as const }]),
    ],
    zero: true,
    at: formats.clock(answer.source_ts),
    summary:
      `Gamma exposure of ${answer.product}, the whole book repriced at each spot from ${formats.strike(Math.round(answer.spots[0] ?? 0))} ` +
      `to ${formats.strike(Math.round(answer.spots.at(-1) ?? 0))}.` +
      (flip === null
        ? " It does not change its sign there."
        : ` It changes its sign at ${formats.price(flip)}; the spot is ${formats.price(answer.spot)}.`),
    table: {
      columns: [
        { title: "Spot", show: formats.price },
        { title: "Gamma exposure", show: formats.money },
      ],
      rows: answer.spots.map((spot, i) => [spot, answer.gex_by_spot[i] ?? null]),
    },
  };
}

export function painPlot(answer: MaxPainAnswer, window: Window, formats: Formats): Plot {
  const { x, pick } = within(answer.strikes, window);
  const pain = pick(answer.pain);
  return {
    x,
    xTitle: "Settlement",
    yTitle: "Contracts × points",
    showX: formats.strike,
    showY: formats.compact,
    tickY: short(formats.compact),
    traces: [{ kind: "line", label: "Paid to holders, contracts × points", tone: "fit", y: pain }],
    marks: [mark(answer.spot, "spot", "ink", formats), mark(answer.max_pain, "max pain", "second", formats)].filter(
      isWithin(x),
    ),
    notes: point(x, pain, answer.max_pain),
    zero: true,
    at: formats.clock(answer.source_ts),
    summary:
      `What holders of ${answer.product} ${formats.day(answer.expiry)} would be paid at each settlement, in contracts times points.` +
      says(" It is least at", answer.max_pain, formats),
    table: strikesTable(x, [["Contracts × points", pain, formats.count]], formats),
  };
}

// -------------------------------------------------------------------------------------------

function within(
  strikes: readonly number[],
  { centre, beside }: Window,
): { x: number[]; pick: <T>(column: readonly T[]) => T[] } {
  const middle = nearest(strikes, centre);
  const [from, to] = beside === null ? [0, strikes.length] : [Math.max(0, middle - beside), middle + beside + 1];
  return { x: strikes.slice(from, to), pick: (column) => column.slice(from, to) };
}

type Barred = Pick<Plot, "x" | "xTitle" | "yTitle" | "showX" | "traces" | "notes" | "zero">;

function bars(x: readonly number[], puts: Values, calls: Values, formats: Formats): Barred {
  return {
    x,
    xTitle: "Strike",
    yTitle: "Contracts",
    showX: formats.strike,
    traces: [
      { kind: "bars", label: "Puts", tone: "put", y: puts, place: "left" },
      { kind: "bars", label: "Calls", tone: "call", y: calls, place: "right" },
    ],
    notes: [],
    zero: true,
  };
}

function mark(at: number | null, label: string, tone: Mark["tone"], formats: Formats): Mark | null {
  return at === null ? null : { at, label: `${label} ${formats.strike(Math.round(at))}`, tone };
}

const isWithin =
  (x: readonly number[]) =>
  (candidate: Mark | null): candidate is Mark =>
    candidate !== null &&
    candidate.at >= (x[0] ?? Number.POSITIVE_INFINITY) &&
    candidate.at <= (x.at(-1) ?? Number.NEGATIVE_INFINITY);

function point(x: readonly number[], y: Values, at: number | null): Plot["notes"] {
  const value = at === null ? null : between(x, y, at);
  return at === null || value === null ? [] : [{ at: [at, value], shape: "diamond", tone: "second" }];
}

function says(words: string, value: number | null, formats: Formats): string {
  return value === null ? "" : `${words} ${formats.strike(value)}`;
}

function largest(shares: BuildupAnswer["calls"]["shares"]): string {
  const known = BUILDUPS.map((key) => [BUILDUP_NAMES[key], shares?.[key] ?? 0] as const);
  const [name, share] = known.reduce((a, b) => (b[1] > a[1] ? b : a));
  return share === 0 ? "no change" : `mostly ${name.toLowerCase()} (${Math.round(share * 100)} % of the change)`;
}

function signedPrice(value: number, formats: Formats): string {
  return `${value > 0 ? "+" : ""}${formats.price(value)}`;
}

function strikesTable(
  x: readonly number[],
  columns: readonly (readonly [string, Values, (value: number) => string])[],
  formats: Formats,
): Plot["table"] {
  return {
    columns: [{ title: "Strike", show: formats.strike }, ...columns.map(([title, , show]) => ({ title, show }))],
    rows: x.map((strike, i) => [strike, ...columns.map(([, values]) => values[i] ?? null)]),
  };
}
