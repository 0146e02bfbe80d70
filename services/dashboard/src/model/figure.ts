/**
 * What a figure says, apart from how it is drawn. Models make these from payloads; charts draw them, tabulate them and
 * write them as CSV. Nothing here or in the models computes a market number: positions of marks are read off published
 * columns, and all else is as the API gave it.
 */

export type Show = (value: number) => string;
export type Values = readonly (number | null)[];
export type Cell = number | string | null;

/** Roles of colours; the style sheet says what they look like in light and in dark. */
export type Tone = "call" | "put" | "fit" | "ink" | "muted" | "second" | "bad" | "up" | "down";

export interface Column {
  readonly title: string;
  /** How its numbers are shown; CSV has them as they are. */
  readonly show?: Show | undefined;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface Described {
  /** One or two sentences that say what is to be seen, for those who do not see it. */
  readonly summary: string;
  /** Of when it is, at the exchange. */
  readonly at?: string;
  readonly table: Table;
}

interface TraceHead {
  readonly label: string;
  readonly tone: Tone;
  /** Not in the legend, as it belongs to another trace of the same name. */
  readonly unlisted?: boolean;
}

export type Shape = "round" | "square" | "diamond" | "cross";

/** One entry of each column for each `x` of the plot. */
export type Trace = TraceHead &
  (
    | { readonly kind: "line"; readonly y: Values; readonly dashed?: boolean; readonly dotted?: boolean }
    | { readonly kind: "points"; readonly y: Values; readonly shape: Shape; readonly hollow?: boolean }
    | { readonly kind: "whisker"; readonly low: Values; readonly high: Values }
    | { readonly kind: "bars"; readonly y: Values; readonly place: "left" | "right" | "whole" }
  );

/** A line across the plot at one x, with words at its upper end. */
export interface Mark {
  readonly at: number;
  readonly label: string;
  readonly tone: Tone;
}

/** A mark at one point, or a line from there to `to`. */
export interface Note {
  readonly at: readonly [x: number, y: number];
  readonly to?: readonly [x: number, y: number];
  readonly shape?: Shape;
  readonly label?: string;
  /** Where the label has room: on the left below the point, or on the right above it. */
  readonly side?: "left" | "right";
  readonly tone: Tone;
}

export interface Plot extends Described {
  readonly x: readonly number[];
  readonly xTitle: string;
  readonly yTitle: string;
  readonly showX: Show;
  readonly showY: Show;
  /** On the axes, where numbers are `step` apart; `showX` and `showY` if there is none. */
  readonly tickX?: (value: number, step: number) => string;
  readonly tickY?: (value: number, step: number) => string;
  readonly traces: readonly Trace[];
  readonly marks: readonly Mark[];
  readonly notes: readonly Note[];
  /** Whether 0 belongs into the picture. */
  readonly zero: boolean;
}

/** Colours of cells: along a scale, or one of each class. */
export type Shade =
  | { readonly kind: "scale"; readonly low: number; readonly high: number; readonly show: Show }
  | { readonly kind: "classes"; readonly names: readonly string[] };

export interface Matrix extends Described {
  readonly xTitle: string;
  /** Of columns, in full; axes leave out those for which there is no room. */
  readonly xLabels: readonly string[];
  readonly rows: readonly {
    readonly label: string;
    /** A number on the scale, or the index of a class; null is blank. */
    readonly cells: Values;
  }[];
  readonly shade: Shade;
  /** Cells to frame in the tone of what is wrong, and why. */
  readonly faults: readonly { readonly row: number; readonly column: number; readonly label: string }[];
  /** Columns with a mark above them. */
  readonly marks: readonly { readonly column: number; readonly label: string }[];
}

export const known = (values: Values): number[] => values.filter((value) => value !== null);

/** Where `value` lies between the entries of `from`, read off `to`; null outside, or where neither is known. For the
 * places of marks only. */
export function between(from: Values, to: Values, value: number): number | null {
  for (let i = 1; i < from.length; i += 1) {
    const [a, b, p, q] = [from[i - 1], from[i], to[i - 1], to[i]];
    if (a == null || b == null || p == null || q == null || a === b) continue;
    if ((value - a) * (value - b) <= 0) return p + ((q - p) * (value - a)) / (b - a);
  }
  return null;
}

export function nearest(values: readonly number[], value: number): number {
  let best = 0;
  for (let i = 1; i < values.length; i += 1) {
    if (Math.abs((values[i] as number) - value) < Math.abs((values[best] as number) - value)) best = i;
  }
  return best;
}

/** RFC 4180, with numbers as they came. */
export function csv({ columns, rows }: Table): string {
  const quoted = (cell: Cell): string => {
    const text = cell === null ? "" : String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map((column) => column.title), ...rows].map((row) => row.map(quoted).join(","));
  return `${lines.join("\r\n")}\r\n`;
}
