/** The chain ladder: calls, strike, puts, as they are quoted and what that implies. */
import "./chain.css";
import { html, nothing, render, type TemplateResult } from "lit-html";

import { label } from "../explain";
import * as format from "../format";
import { trouble } from "../freshness";
import type { TermName } from "../glossary";
import type { Chain, Metrics } from "../messages";
import type { Context, Mounted, Reading, View } from "../view";
import { Ladder } from "./ladder";
import { chooseColumns, chosenColumns, COLUMNS } from "./ladder-columns";

const WIDE = matchMedia("(min-width: 1000px)");
const PAGE_ROWS = 10;

export const chain: View = {
  name: "chain",
  title: "Chain",
  scope: "expiry",
  mount: (element, context) => new ChainView(element, context),
};

class ChainView implements Mounted {
  readonly #element: HTMLElement;
  #context: Context;
  #ladder: Ladder | undefined;
  #chain: Reading<Chain> | undefined;
  #metrics: Reading<Metrics> | undefined;
  #centred = false;
  #isPast = false;
  readonly #refit = () => this.#makeLadder();

  constructor(element: HTMLElement, context: Context) {
    this.#element = element;
    this.#context = context;
    element.classList.add("chain");
    render(
      html`<section class="summary" aria-label="Summary"></section>
        <div class="scroll" tabindex="0" role="region" aria-label="Option chain" @keydown=${this.#key}></div>`,
      element,
    );
    WIDE.addEventListener("change", this.#refit);
    this.#follow();
  }

  update(context: Context): void {
    this.#context = context;
    this.#follow();
  }

  unmount(): void {
    WIDE.removeEventListener("change", this.#refit);
    this.#ladder?.close();
    render(nothing, this.#element);
    this.#element.classList.remove("chain");
  }

  #follow(): void {
    const { product, expiry } = this.#context.place;
    this.#chain = undefined;
    this.#metrics = undefined;
    this.#centred = false;
    this.#makeLadder();
    if (product === undefined || expiry === undefined) {
      this.#drawSummary();
      return;
    }
    this.#element.dataset.product = product;
    this.#element.dataset.expiry = expiry;
    this.#context.follow<Metrics>(`metrics:${product}:${expiry}`, (reading) => {
      this.#metrics = reading;
      this.#drawSummary();
    });
    this.#context.follow<Chain>(`chain:${product}:${expiry}`, (reading) => this.#show(reading));
    this.#drawSummary();
  }

  get #scroll(): HTMLElement {
    return this.#element.querySelector(".scroll") as HTMLElement;
  }

  #makeLadder(): void {
    this.#ladder?.close();
    const names = chosenColumns(WIDE.matches);
    const columns = COLUMNS.filter(({ name }) => names.has(name));
    this.#ladder = new Ladder(columns, this.#context.market());
    if (this.#chain?.data) this.#show(this.#chain);
    else this.#showEmpty();
  }

  #show(reading: Reading<Chain>): void {
    // Two instants apart are no change: lights are for what happens.
    const lights = reading.freshness === "live" && !this.#isPast && this.#chain?.seq !== reading.seq;
    this.#isPast = reading.freshness === "past";
    const changed = reading.data !== this.#chain?.data;
    this.#chain = reading;
    this.#element.dataset.freshness = reading.freshness;
    // Where the written cells are in the channel's history.
    const done = () => {
      this.#element.dataset.epoch = reading.epoch ?? "";
      this.#element.dataset.seq = String(reading.seq ?? "");
    };
    if (reading.data !== undefined && this.#ladder !== undefined) {
      const { data: chain } = reading;
      if (changed || !this.#ladder.element.isConnected) this.#ladder.show({ chain, metrics: this.#metrics?.data, lights, done });
      if (!this.#ladder.element.isConnected) this.#scroll.replaceChildren(this.#ladder.element);
      this.#centre();
    } else {
      this.#showEmpty();
      done();
    }
    this.#drawSummary();
  }

  #showEmpty(): void {
    const words = document.createElement("p");
    words.className = "empty";
    words.textContent = this.#words() ?? "";
    this.#scroll.replaceChildren(words);
  }

  /** Once for a chain: the row at the money in the middle, and the strikes in the middle of a narrow window. */
  #centre(again = false): void {
    const row = this.#ladder?.atTheMoney;
    if (row === undefined || (this.#centred && !again)) return;
    this.#centred = true;
    const head = this.#ladder?.element.tHead?.offsetHeight ?? 0;
    const scroll = this.#scroll;
    scroll.scrollTop = row.offsetTop - head - (scroll.clientHeight - head - row.offsetHeight) / 2;
    const strike = row.querySelector("th") as HTMLElement;
    scroll.scrollLeft = strike.offsetLeft - (scroll.clientWidth - strike.offsetWidth) / 2;
  }

  readonly #key = (event: KeyboardEvent): void => {
    const rows = this.#ladder?.rows ?? [];
    const focused = rows.indexOf(document.activeElement as HTMLTableRowElement);
    const start = focused >= 0 ? focused : rows.indexOf(this.#ladder?.atTheMoney as HTMLTableRowElement);
    const steps: Readonly<Record<string, number>> = { ArrowUp: -1, ArrowDown: 1, PageUp: -PAGE_ROWS, PageDown: PAGE_ROWS };
    const step = steps[event.key];
    if (step !== undefined && rows.length > 0) {
      const from = focused >= 0 ? step : 0;
      this.#focus(rows[Math.max(0, Math.min(rows.length - 1, start + from))] as HTMLTableRowElement);
    } else if (event.key === "Home") {
      this.#centre(true);
      const row = this.#ladder?.atTheMoney;
      if (row) this.#focus(row);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      void this.#turn(event.key === "ArrowLeft" ? -1 : 1);
    } else {
      return;
    }
    event.preventDefault();
  };

  #focus(row: HTMLTableRowElement): void {
    for (const other of this.#ladder?.rows ?? []) other.removeAttribute("tabindex");
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  /** To the expiry before or after this one. */
  async #turn(by: number): Promise<void> {
    const { product, expiry } = this.#context.place;
    const expiries = await this.#context.expiries(product ?? "").catch((): readonly string[] => []);
    const next = expiries[expiries.indexOf(expiry ?? "") + by];
    if (next !== undefined) this.#context.go({ expiry: next });
  }

  #drawSummary(): void {
    const metrics = this.#metrics?.data;
    const chain = this.#chain?.data;
    const market = this.#context.market();
    const head = chain ?? metrics;
    render(
      html`<dl>
          ${item("spot", format.price(head?.spot, market), head?.spot)}
          ${item("forward", format.price(head?.forward, market), head?.forward)}
          ${item("basis", format.signed(head?.basis, market), head?.basis)}
          ${item("iv_atm", format.percent(metrics?.iv_atm), metrics?.iv_atm)}
          ${item("atm_straddle", format.price(metrics?.atm_straddle, market), metrics?.atm_straddle)}
          ${item("expected_move_1sd", format.decimal(metrics?.expected_move_1sd, market, 1), metrics?.expected_move_1sd)}
          ${item("pcr_oi", format.ratio(metrics?.pcr_oi), metrics?.pcr_oi)}
          ${item("max_pain", format.strike(metrics?.max_pain, market), metrics?.max_pain)}
          <div><dt>Expires in</dt><dd class="num">${head === undefined ? format.MISSING : format.left(head.dte_years)}</dd></div>
        </dl>
        ${this.#drawWords()}
        ${this.#drawChoice()}`,
      this.#element.querySelector(".summary") as HTMLElement,
    );
  }

  /** Beside numbers that are there; where there are none, the words are in their place. */
  #drawWords(): TemplateResult | typeof nothing {
    const words = this.#chain?.data === undefined ? undefined : this.#words();
    return words === undefined ? nothing : html`<p class="trouble">${words}</p>`;
  }

  #words(): string | undefined {
    const reading = this.#chain;
    if (this.#context.place.expiry === undefined) return "There is no expiry that is not over.";
    if (reading === undefined || reading.freshness === "loading") return "Loading the chain …";
    const age = reading.data === undefined ? undefined : Math.max(0, this.#context.now() - reading.data.source_ts);
    return trouble(reading.freshness, age, reading.problem);
  }

  #drawChoice(): TemplateResult {
    const shown = chosenColumns(WIDE.matches);
    const choose = (name: string, event: Event) => {
      const names = new Set(shown);
      if ((event.target as HTMLInputElement).checked) names.add(name);
      else names.delete(name);
      chooseColumns(names.size > 0 ? names : undefined);
      this.#chosen();
    };
    const reset = () => {
      chooseColumns(undefined);
      this.#chosen();
    };
    return html`<details class="choice">
      <summary>Columns</summary>
      <fieldset>
        <legend class="hidden">Columns of the ladder</legend>
        ${COLUMNS.map(
          ({ name, head }) =>
            html`<label><input type="checkbox" .checked=${shown.has(name)} @change=${(event: Event) => choose(name, event)}>${head}</label>`,
        )}
        <button type="button" @click=${reset}>As usual</button>
      </fieldset>
    </details>`;
  }

  #chosen(): void {
    this.#centred = false;
    this.#makeLadder();
    this.#drawSummary();
  }
}

function item(name: TermName, text: string, exact: number | null | undefined): TemplateResult {
  return html`<div data-exact=${String(exact ?? null)}><dt>${label(name)}</dt><dd class="num" data-field=${name}>${text}</dd></div>`;
}
