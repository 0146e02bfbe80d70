/**
 * The table of the ladder. Its cells are made once for a set of strikes and columns, and then only what differs is
 * written: a chain of 81 strikes has two thousand cells, of which half change each second.
 */
import { label } from "../explain";
import { html, render } from "lit-html";

import type { Market } from "../format";
import { strike as strikeText } from "../format";
import type { Chain, Column, Metrics, Quotes } from "../messages";
import { type LadderColumn, values } from "./ladder-columns";
import { atTheMoney, expectedMove, marks } from "./ladder-marks";

const LIT_MS = 350;
/** Rows written in one frame. Those in view come first, all of them: nobody sees half of a chain. */
const FRAME_ROWS = 20;

interface Cell {
  readonly element: HTMLTableCellElement;
  readonly text: Text;
  readonly barred: boolean;
  value: number | null | undefined;
  share: number;
}

interface Row {
  readonly element: HTMLTableRowElement;
  readonly cells: Readonly<Record<Side, readonly Cell[]>>;
  readonly marks: HTMLElement;
  marked: string;
  state: string;
  lit: Element[];
  litUntil: number;
}

type Side = "calls" | "puts";

/** What is to be seen: a state with all that its rows share. */
interface Drawing {
  readonly chain: Chain;
  readonly metrics: Metrics | undefined;
  readonly lights: boolean;
  readonly done: () => void;
}

export class Ladder {
  readonly element = document.createElement("table");
  readonly #columns: readonly LadderColumn[];
  readonly #market: Market;
  readonly #head = document.createElement("thead");
  readonly #body = document.createElement("tbody");
  #rows: Row[] = [];
  #strikes: readonly number[] = [];
  #frame: number | undefined;
  #next: Drawing | undefined;

  constructor(columns: readonly LadderColumn[], market: Market) {
    this.#columns = columns;
    this.#market = market;
    this.element.className = "ladder";
    const caption = document.createElement("caption");
    caption.className = "hidden";
    caption.textContent = "Calls on the left, puts on the right, one row for each strike";
    this.element.append(caption, this.#drawWidths(), this.#head, this.#body);
    this.#drawHead();
  }

  /** Of a row that can be focused: the one that was, or the one at the money. */
  get rows(): readonly HTMLTableRowElement[] {
    return this.#rows.map(({ element }) => element);
  }

  get atTheMoney(): HTMLTableRowElement | undefined {
    return this.#rows.find(({ element }) => element.classList.contains("atm"))?.element;
  }

  /**
   * `lights`: whether cells that changed are to be lit; not when the ladder goes to another instant. A chain takes some
   * frames, so that none comes late; `done` is called when all of it is written. Of chains that come meanwhile the
   * newest is next.
   */
  show(drawing: Drawing): void {
    this.#next = drawing;
    if (this.#frame === undefined || !sameStrikes(this.#strikes, drawing.chain.strikes)) this.#begin();
  }

  close(): void {
    cancelAnimationFrame(this.#frame ?? 0);
  }

  #begin(): void {
    const drawing = this.#next as Drawing;
    this.#next = undefined;
    const isNew = !sameStrikes(this.#strikes, drawing.chain.strikes);
    if (isNew) this.#makeRows(drawing.chain);
    const write = this.#writer(drawing);
    const rest = isNew ? [] : this.#outOfView();
    const later = new Set(rest);
    this.#rows.forEach((_, turn) => later.has(turn) || write(turn));
    const go = () => {
      for (const turn of rest.splice(0, FRAME_ROWS)) write(turn);
      proceed();
    };
    const proceed = () => {
      this.#frame = rest.length > 0 ? requestAnimationFrame(go) : undefined;
      if (this.#frame !== undefined) return;
      drawing.done();
      if (this.#next !== undefined) this.#frame = requestAnimationFrame(() => this.#begin());
    };
    cancelAnimationFrame(this.#frame ?? 0);
    proceed();
  }

  /** Rows are of one height, but for marks that wrap: hence one more at either end. */
  #outOfView(): number[] {
    const window = this.element.parentElement?.getBoundingClientRect();
    const { top, height } = this.#body.getBoundingClientRect();
    if (window === undefined || height === 0) return [];
    const each = height / this.#rows.length;
    const first = Math.floor((window.top - top) / each) - 1;
    const last = Math.ceil((window.bottom - top) / each) + 1;
    return [...this.#rows.keys()].filter((turn) => turn < first || turn > last);
  }

  /** Fixed, so that a number that changes moves nothing: else the browser would measure two thousand cells each second. */
  #drawWidths(): HTMLElement {
    const names = this.#columns.map(({ name }) => name);
    const group = document.createElement("colgroup");
    for (const name of [...names, "strike", ...names.toReversed()]) {
      const column = document.createElement("col");
      column.dataset.field = name;
      group.append(column);
    }
    this.element.style.minWidth = `calc(var(--strike) + ${2 * names.length} * var(--cell))`;
    return group;
  }

  #drawHead(): void {
    const heads = this.#columns.map(
      ({ head, term }) => html`<th scope="col">${term === undefined ? head : label(term, head)}</th>`,
    );
    render(
      html`<tr>
          <th class="side calls" scope="colgroup" colspan=${heads.length}>Calls</th>
          <th class="side"></th>
          <th class="side puts" scope="colgroup" colspan=${heads.length}>Puts</th>
        </tr>
        <tr>${heads}<th scope="col" class="strike">${label("strike")}</th>${heads.toReversed()}</tr>`,
      this.#head,
    );
  }

  #makeRows({ strikes }: Chain): void {
    this.#strikes = strikes;
    this.#rows = strikes.map((strike) => this.#makeRow(strike));
    this.#body.replaceChildren(...this.#rows.map(({ element }) => element));
  }

  #makeRow(strike: number): Row {
    const element = document.createElement("tr");
    element.dataset.strike = String(strike);
    const head = document.createElement("th");
    head.scope = "row";
    head.className = "strike num";
    const marks = document.createElement("span");
    marks.className = "marks";
    head.append(strikeText(strike, this.#market), marks);
    const calls = this.#columns.map((column) => makeCell(column, "call"));
    const puts = this.#columns.map((column) => makeCell(column, "put"));
    element.append(...calls.map((cell) => cell.element), head, ...puts.map((cell) => cell.element).reverse());
    return { element, cells: { calls, puts }, marks, marked: "", state: "", lit: [], litUntil: 0 };
  }

  /** Writes one row, lit for a moment where it changed. */
  #writer({ chain, metrics, lights }: Drawing): (turn: number) => void {
    const sides = { calls: this.#ranges(chain.calls), puts: this.#ranges(chain.puts) };
    const mark = this.#marker(chain, metrics);
    return (turn) => {
      const row = this.#rows[turn] as Row;
      dim(row);
      for (const side of ["calls", "puts"] as const) this.#fill(row, side, sides[side], turn, lights);
      mark(row, turn);
      if (row.lit.length === 0) return;
      row.litUntil = performance.now() + LIT_MS;
      setTimeout(() => performance.now() < row.litUntil || dim(row), LIT_MS);
    };
  }

  #ranges(quotes: Quotes): readonly Range[] {
    return this.#columns.map((column) => {
      const found = values(quotes, column);
      return { values: found, largest: column.bar ? Math.max(1, ...found.map((value) => value ?? 0)) : 1 };
    });
  }

  #fill(row: Row, side: Side, ranges: readonly Range[], turn: number, lights: boolean): void {
    this.#columns.forEach((column, place) => {
      const cell = row.cells[side][place] as Cell;
      const range = ranges[place] as Range;
      const value = range.values[turn] ?? null;
      if (cell.barred) stretch(cell, (value ?? 0) / range.largest);
      if (cell.value === value) return;
      const before = cell.value;
      const text = column.write(value, this.#market);
      cell.value = value;
      if (cell.text.data === text) return;
      cell.text.data = text;
      if (!lights || !column.flash || before === undefined) return;
      cell.element.dataset.lit = before !== null && value !== null && value < before ? "down" : "up";
      row.lit.push(cell.element);
    });
  }

  #marker(chain: Chain, metrics: Metrics | undefined): (row: Row, turn: number) => void {
    const atm = atTheMoney(chain);
    const forward = chain.forward ?? chain.spot;
    const band = metrics && expectedMove(metrics);
    const found = marks(chain, metrics);
    return (row, turn) => {
      const strike = chain.strikes[turn] as number;
      const within = band !== undefined && strike >= band[0] && strike <= band[1];
      const state = [turn === atm ? "atm" : "", strike < forward ? "below" : "above", within ? "within" : ""].join(" ").trim();
      if (state !== row.state) {
        row.state = state;
        row.element.className = state;
      }
      const here = found.get(turn) ?? [];
      const key = here.map(({ text }) => text).join();
      if (key === row.marked) return;
      row.marked = key;
      row.marks.replaceChildren(
        ...here.map(({ text, title, term }) => {
          const mark = document.createElement("em");
          mark.textContent = text;
          mark.title = title;
          mark.dataset.kind = text;
          if (term !== undefined) mark.dataset.term = term;
          return mark;
        }),
      );
    };
  }
}

/** The values of a column, and what its bars are a share of. */
interface Range {
  readonly values: Column;
  readonly largest: number;
}

function dim(row: Row): void {
  for (const element of row.lit) element.removeAttribute("data-lit");
  row.lit = [];
}

function makeCell({ name, bar }: LadderColumn, side: "call" | "put"): Cell {
  const element = document.createElement("td");
  element.className = bar ? "num barred" : "num";
  element.dataset.side = side;
  element.dataset.field = name;
  const text = document.createTextNode("");
  element.append(text);
  return { element, text, barred: bar === true, value: undefined, share: Number.NaN };
}

function stretch(cell: Cell, share: number): void {
  const rounded = Math.round(share * 200) / 200;
  if (cell.share === rounded) return;
  cell.share = rounded;
  cell.element.style.backgroundSize = `${rounded * 100}% calc(100% - 6px)`;
}

function sameStrikes(one: readonly number[], other: readonly number[]): boolean {
  return one === other || (one.length === other.length && one.every((strike, turn) => strike === other[turn]));
}
