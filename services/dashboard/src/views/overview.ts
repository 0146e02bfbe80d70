/** One card per product: the numbers that are asked for first, and how good they are. */
import "./overview.css";
import { html, nothing, render, svg, type TemplateResult } from "lit-html";

import { Problem } from "../api";
import { label } from "../explain";
import * as format from "../format";
import { BADGES, trouble } from "../freshness";
import type { TermName } from "../glossary";
import type { Bar, Metrics, Product, Surface, Tick } from "../messages";
import { formatPlace } from "../router";
import { level, path } from "../sparkline";
import type { Context, Mounted, Reading, View } from "../view";

const DAY_MS = 86_400_000;
const BARS_EVERY_MS = 60_000;
const EXPIRIES_EVERY_MS = 60_000;
const WIDTH = 240;
const HEIGHT = 44;

export const overview: View = {
  name: "overview",
  title: "Overview",
  scope: "platform",
  mount(element: HTMLElement, context: Context): Mounted {
    let cards: Card[] = [];
    element.classList.add("overview");
    render(html`<p class="empty" role="status">Loading products …</p>`, element);
    void context.products().then((products) => {
      if (context.signal.aborted) return;
      render(html`<h1 class="hidden">Overview</h1>${products.map(() => html`<article class="card"></article>`)}`, element);
      const places = element.querySelectorAll<HTMLElement>(".card");
      cards = products.map((product, turn) => new Card(places[turn] as HTMLElement, product, context));
    });
    return {
      unmount() {
        for (const card of cards) card.close();
        render(nothing, element);
        element.classList.remove("overview");
      },
    };
  },
};

class Card {
  readonly #element: HTMLElement;
  readonly #product: Product;
  readonly #context: Context;
  readonly #market: format.Market;
  #expiry: string | undefined;
  #tick: Reading<Tick> | undefined;
  #metrics: Reading<Metrics> | undefined;
  #surface: Reading<Surface> | undefined;
  #bars: readonly Bar[] = [];
  #drawing = 0;
  #leave: (() => void) | undefined;
  readonly #timers: ReturnType<typeof setInterval>[];

  constructor(element: HTMLElement, product: Product, context: Context) {
    this.#element = element;
    this.#product = product;
    this.#context = context;
    this.#market = context.market(product.product);
    const { product: name } = product;
    element.dataset.product = name;
    context.follow<Tick>(`ticks:${name}`, (reading) => {
      this.#tick = reading;
      this.#plan();
    });
    context.follow<Surface>(`surface:${name}`, (reading) => {
      this.#surface = reading;
      this.#plan();
    });
    context.onTime(() => void this.#readBars());
    this.#timers = [
      setInterval(() => void this.#readBars(), BARS_EVERY_MS),
      setInterval(() => void this.#findExpiry(), EXPIRIES_EVERY_MS),
      setInterval(() => this.#plan(), 1_000), // its age
    ];
    void this.#findExpiry();
    void this.#readBars();
    this.#draw();
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    cancelAnimationFrame(this.#drawing);
  }

  /** The nearest one, and the next when that is over. */
  async #findExpiry(): Promise<void> {
    const [expiry] = await this.#context.expiries(this.#product.product).catch((): readonly string[] => []);
    if (expiry === undefined || expiry === this.#expiry || this.#context.signal.aborted) return;
    this.#leave?.();
    this.#expiry = expiry;
    this.#element.dataset.expiry = expiry;
    this.#leave = this.#context.follow<Metrics>(`metrics:${this.#product.product}:${expiry}`, (reading) => {
      this.#metrics = reading;
      this.#plan();
    });
  }

  async #readBars(): Promise<void> {
    const to = this.#context.asOf();
    const from = startOfDay(to ?? this.#context.now(), this.#market.timezone);
    try {
      const query = { interval: "1m", from, to };
      const found = await this.#context.api.get<{ bars: Bar[] }>(`/ohlc/${this.#product.product}`, query, {
        signal: this.#context.signal,
      });
      this.#bars = found.bars;
    } catch (error) {
      if (this.#context.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      this.#bars = [];
    }
    this.#plan();
  }

  #plan(): void {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw();
    });
  }

  #draw(): void {
    const { product: name, description } = this.#product;
    const market = this.#market;
    const tick = this.#tick?.data;
    const metrics = this.#metrics?.data;
    const link = formatPlace({ view: "chain", product: name, expiry: this.#expiry, asOf: this.#context.asOf() });
    this.#element.dataset.freshness = this.#worst().freshness;
    this.#element.dataset.epoch = this.#metrics?.epoch ?? "";
    this.#element.dataset.seq = String(this.#metrics?.seq ?? "");
    render(
      html`<header>
          <h2><a href=${link}>${name}</a><small>${description}</small></h2>
          ${this.#badge()}
        </header>
        <p class="price">
          <span class="spot num" data-field="spot" data-exact=${String(tick?.price ?? null)}>${format.price(tick?.price ?? metrics?.spot, market)}</span>
          ${change(tick, market)}
        </p>
        ${this.#line(tick)}
        <dl>${this.#numbers(metrics, market)}</dl>
        ${this.#trouble()}`,
      this.#element,
    );
  }

  #numbers(metrics: Metrics | undefined, market: format.Market): TemplateResult[] {
    const surface = this.#surface?.data;
    const index = surface?.variance_index.cboe ?? surface?.variance_index.india;
    const move = metrics?.expected_move_1sd;
    const share = move !== null && move !== undefined && metrics?.forward ? move / metrics.forward : undefined;
    const left = metrics && this.#expiry ? `${format.day(this.#expiry)} · ${format.left(metrics.dte_years)}` : "";
    return [
      row("forward", format.price(metrics?.forward, market), metrics?.forward),
      row("basis", format.signed(metrics?.basis, market), metrics?.basis),
      row("iv_atm", format.percent(metrics?.iv_atm), metrics?.iv_atm),
      row("atm_straddle", format.price(metrics?.atm_straddle, market), metrics?.atm_straddle),
      row("expected_move_1sd", format.decimal(move, market, 1), move, { before: "±", after: format.percent(share, 1) }),
      row("pcr_oi", format.ratio(metrics?.pcr_oi), metrics?.pcr_oi),
      row("max_pain", format.strike(metrics?.max_pain, market), metrics?.max_pain),
      row("variance_index", format.ratio(index), index),
      html`<div class="of"><dt>Expiry</dt><dd class="num">${left || format.MISSING}</dd></div>`,
    ];
  }

  #badge(): TemplateResult {
    const { freshness } = this.#worst();
    const age = this.#age();
    const old = age === undefined || freshness === "past" ? nothing : format.duration(age);
    return html`<span class="state"><span class="badge" data-freshness=${freshness}>${BADGES[freshness]}</span
      ><span class="age num" data-term="age">${old}</span></span>`;
  }

  /** The tick says how good a card is, unless the metrics are worse off. */
  #worst(): Reading<unknown> {
    const loading = { channel: "", data: undefined, freshness: "loading" } as const;
    const readings = [this.#metrics ?? loading, this.#tick ?? loading];
    const order = ["reconnecting", "absent", "resyncing", "stale", "loading", "past", "live"];
    return readings.toSorted((one, other) => order.indexOf(one.freshness) - order.indexOf(other.freshness))[0] ?? loading;
  }

  #age(): number | undefined {
    const at = this.#metrics?.data?.source_ts ?? this.#tick?.data?.source_ts;
    return at === undefined ? undefined : Math.max(0, this.#context.now() - at);
  }

  #trouble(): TemplateResult | typeof nothing {
    const { freshness, problem } = this.#worst();
    const words = trouble(freshness, this.#age(), problem);
    return words === undefined ? nothing : html`<p class="trouble">${words}</p>`;
  }

  #line(tick: Tick | undefined): TemplateResult {
    const points = this.#bars.map(({ start_ts: at, close }) => [at, close] as const);
    const now = tick?.source_ts;
    if (tick && now !== undefined) points.push([now, tick.price]);
    const [first] = points;
    const last = points.at(-1);
    if (first === undefined || last === undefined || last[0] <= first[0]) {
      return html`<svg class="line" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="no prices of today yet"></svg>`;
    }
    const before = tick?.prev_close == null ? undefined : level(tick.prev_close, points, HEIGHT);
    const said = `price today, from ${format.price(first[1], this.#market)} to ${format.price(last[1], this.#market)}`;
    return html`<svg class="line" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${said}>
      ${before === undefined ? nothing : svg`<line class="before" x1="0" x2=${WIDTH} y1=${before} y2=${before} />`}
      ${svg`<path d=${path(points, [first[0], last[0]], WIDTH, HEIGHT)} />`}
    </svg>`;
  }
}

function row(
  name: TermName,
  text: string,
  exact: number | null | undefined,
  { before = "", after = "" } = {},
): TemplateResult {
  const isThere = text !== format.MISSING;
  return html`<div data-exact=${String(exact ?? null)}><dt>${label(name)}</dt>
    <dd class="num" data-field=${name}>${isThere ? before : ""}${text}${isThere && after ? html` <small>${after}</small>` : nothing}</dd></div>`;
}

function change(tick: Tick | undefined, market: format.Market): TemplateResult | typeof nothing {
  if (tick?.change == null) return nothing;
  const direction = tick.change > 0 ? "up" : tick.change < 0 ? "down" : "level";
  const share = tick.change_percent === null ? "" : ` (${format.signed(tick.change_percent, market, 2)} %)`;
  return html`<span class="change num" data-direction=${direction} data-term="change">${format.signed(tick.change, market)}${share}</span>`;
}

/** Midnight at the exchange, before `at`. */
function startOfDay(at: number, timezone: string): number {
  const parts = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: timezone }).format(at).split(":");
  const [hours = 0, minutes = 0, seconds = 0] = parts.map(Number);
  const since = ((hours * 60 + minutes) * 60 + seconds) * 1_000;
  return Math.floor((at - (since % DAY_MS)) / 1_000) * 1_000;
}
