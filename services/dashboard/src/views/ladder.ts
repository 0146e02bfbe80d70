/**
 * The table of the ladder. Its cells are made once for a set of strikes and columns, and then only what differs is
 * written: a chain of 81 strikes has two thousand cells, of which half change each second.
 */
import { label } from "../explain";
import { html, render } from "lit-html";

import type { Market } from "../format";
import { strike as strikeText } from "../format";
import type { Chain, Metrics, Quotes } from "../messages";
import { type LadderColumn, values } from "./ladder-columns";
import { atTheMoney, expectedMove, marks } from "./ladder-marks";

const LIT_MS = 350;

interface Cell {
  readonly element: HTMLTableCellElement;
  readonly text: Text;
  readonly bar: HTMLElement | undefined;
  value: number | null | undefined;
  share: number;
}

interface Row {
  readonly element: HTMLTableRowElement;
  readonly calls: readonly Cell[];
  readonly puts: readonly Cell[];
  readonly marks: HTMLElement;
  marked: string;
  state: string;
}

export class Ladder {
  readonly element = document.createElement("table");
  readonly #columns: readonly LadderColumn[];
  readonly #market: Market;
  readonly #head = document.createElement("thead");
  readonly #body = document.createElement("tbody");
  #rows: Row[] = [];
  #strikes: readonly number[] = [];
  #lit: Element[] = [];
  #off: ReturnType<typeof setTimeout> | undefined;

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

  /** `lights`: whether cells that changed are to be lit; not when the ladder goes to another instant. */
  show(chain: Chain, metrics: Metrics | undefined, lights: boolean): void {
    if (!sameStrikes(this.#strikes, chain.strikes)) this.#makeRows(chain);
    this.#dim();
    this.#fill(chain.calls, "calls", lights);
    this.#fill(chain.puts, "puts", lights);
    this.#mark(chain, metrics);
    if (this.#lit.length > 0) this.#off = setTimeout(() => this.#dim(), LIT_MS);
  }

  close(): void {
    clearTimeout(this.#off);
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
    return { element, calls, puts, marks, marked: "", state: "" };
  }

  #fill(quotes: Quotes, side: "calls" | "puts", lights: boolean): void {
    this.#columns.forEach((column, place) => {
      const column_values = values(quotes, column);
      const largest = column.bar ? Math.max(1, ...column_values.map((value) => value ?? 0)) : 1;
      this.#rows.forEach((row, turn) => {
        const cell = row[side][place] as Cell;
        const value = column_values[turn] ?? null;
        if (cell.bar !== undefined) stretch(cell, (value ?? 0) / largest);
        if (cell.value === value) return;
        const before = cell.value;
        const text = column.write(value, this.#market);
        cell.value = value;
        if (cell.text.data === text) return;
        cell.text.data = text;
        if (!lights || !column.flash || before === undefined) return;
        cell.element.dataset.lit = before !== null && value !== null && value < before ? "down" : "up";
        this.#lit.push(cell.element);
      });
    });
  }

  #dim(): void {
    clearTimeout(this.#off);
    for (const element of this.#lit) element.removeAttribute("data-lit");
    this.#lit = [];
  }

  #mark(chain: Chain, metrics: Metrics | undefined): void {
    const atm = atTheMoney(chain);
    const forward = chain.forward ?? chain.spot;
    const band = metrics && expectedMove(metrics);
    const found = marks(chain, metrics);
    this.#rows.forEach((row, turn) => {
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
    });
  }
}

function makeCell({ name, bar }: LadderColumn, side: "call" | "put"): Cell {
  const element = document.createElement("td");
  element.className = "num";
  element.dataset.side = side;
  element.dataset.field = name;
  const text = document.createTextNode("");
  let drawn: HTMLElement | undefined;
  if (bar) {
    drawn = document.createElement("i");
    drawn.setAttribute("aria-hidden", "true");
    element.append(drawn);
  }
  element.append(text);
  return { element, text, bar: drawn, value: undefined, share: Number.NaN };
}

function stretch(cell: Cell, share: number): void {
  const rounded = Math.round(share * 200) / 200;
  if (cell.share === rounded) return;
  cell.share = rounded;
  (cell.bar as HTMLElement).style.transform = `scaleX(${rounded})`;
}

function sameStrikes(one: readonly number[], other: readonly number[]): boolean {
  return one === other || (one.length === other.length && one.every((strike, turn) => strike === other[turn]));
}
