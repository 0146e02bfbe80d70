/** The columns of one side of the ladder, from the outside to the strike. Pure, but for what was chosen before. */
import * as format from "../format";
import type { TermName } from "../glossary";
import type { Column, Quotes } from "../messages";

export interface LadderColumn {
  readonly name: keyof Quotes & string;
  readonly head: string;
  readonly term?: TermName;
  /** Shown unless something else was chosen; `wide`: only where there is room. */
  readonly usual: "always" | "wide" | "no";
  readonly write: (value: number | null, market: format.Market) => string;
  /** Drawn behind the number, as a share of the largest. */
  readonly bar?: true;
  /** Cells that change are lit for a moment. */
  readonly flash?: true;
}

const greek = (decimals: number) => (value: number | null) => format.ratio(value, decimals);
const count = (value: number | null, market: format.Market) => format.compact(value, market);

export const COLUMNS: readonly LadderColumn[] = [
  { name: "open_interest", head: "OI", term: "open_interest", usual: "always", write: count, bar: true },
  { name: "open_interest_change", head: "OI chg", term: "open_interest_change", usual: "wide", write: format.compactSigned },
  { name: "volume", head: "Volume", term: "volume", usual: "wide", write: count },
  { name: "theta", head: "Theta", term: "theta", usual: "no", write: greek(2) },
  { name: "vega", head: "Vega", term: "vega", usual: "no", write: greek(2) },
  { name: "gamma", head: "Gamma", term: "gamma", usual: "no", write: greek(5) },
  { name: "iv", head: "IV %", term: "iv", usual: "wide", write: (value) => format.hundredfold(value), flash: true },
  { name: "delta", head: "Delta", term: "delta", usual: "wide", write: greek(2) },
  { name: "bid_size", head: "Bid size", usual: "no", write: count },
  { name: "bid", head: "Bid", term: "bid", usual: "wide", write: format.price, flash: true },
  { name: "ask", head: "Ask", term: "ask", usual: "wide", write: format.price, flash: true },
  { name: "ask_size", head: "Ask size", usual: "no", write: count },
  { name: "ltp", head: "LTP", term: "ltp", usual: "always", write: format.price, flash: true },
];

const KEY = "option-aro.ladder-columns";

/** Names of the columns to show: as chosen, else what fits. */
export function chosenColumns(isWide: boolean): ReadonlySet<string> {
  const stored = localStorage.getItem(KEY)?.split(",") ?? [];
  const known = stored.filter((name) => COLUMNS.some((column) => column.name === name));
  if (known.length > 0) return new Set(known);
  return new Set(COLUMNS.filter(({ usual }) => usual === "always" || (usual === "wide" && isWide)).map(({ name }) => name));
}

/** undefined: what fits, from now on. */
export function chooseColumns(names: Iterable<string> | undefined): void {
  if (names === undefined) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, [...names].join(","));
}

export function values(quotes: Quotes, column: LadderColumn): Column {
  return (quotes[column.name] ?? []) as Column;
}
