/** The instant that is looked at: a slider through what is stored, with the price behind it, and the way back. */
import { html, nothing, render, svg } from "lit-html";

import { type Api, Problem } from "./api";
import type { Feed } from "./feed";
import { clock, duration, instant } from "./format";
import type { Bar } from "./messages";
import { path } from "./sparkline";

const MINUTE = 60_000;
const SPANS: readonly [string, number][] = [
  ["15 min", 15 * MINUTE],
  ["1 h", 60 * MINUTE],
  ["2 h", 120 * MINUTE],
  ["8 h", 480 * MINUTE],
];
const STEPS: readonly [string, string, number][] = [
  ["−1 min", "one minute back", -MINUTE],
  ["−5 s", "five seconds back", -5_000],
  ["+5 s", "five seconds on", 5_000],
  ["+1 min", "one minute on", MINUTE],
];
const REFRESH_MS = 30_000;
/** While the slider is dragged. */
const LOOK_EVERY_MS = 120;

export class TimeBar {
  readonly #element: HTMLElement;
  readonly #feed: Feed;
  readonly #api: Api;
  readonly #now: () => number;
  readonly #settled: (asOf: number | undefined) => void;
  #product: string | undefined;
  #timezone = "UTC";
  #span = 60 * MINUTE;
  #bars: readonly Bar[] = [];
  #readAt = 0;
  #waiting = 0;

  /** `settled` is told of an instant that is kept, so that it can stand in the address. */
  constructor(
    element: HTMLElement,
    feed: Feed,
    api: Api,
    now: () => number,
    settled: (asOf: number | undefined) => void,
  ) {
    this.#element = element;
    this.#feed = feed;
    this.#api = api;
    this.#now = now;
    this.#settled = settled;
    feed.onTime(() => this.draw());
  }

  /** Of which product the price behind the slider is. */
  show(product: string | undefined, timezone: string): void {
    if (product === this.#product && timezone === this.#timezone) return;
    this.#product = product;
    this.#timezone = timezone;
    this.#bars = [];
    this.#readAt = 0;
    this.draw();
  }

  draw(): void {
    if (Date.now() - this.#readAt > REFRESH_MS) void this.#read();
    const now = Math.floor(this.#now() / 1_000) * 1_000;
    const asOf = this.#feed.asOf;
    const begin = Math.min(now - MINUTE, Math.max(now - this.#span, this.#bars[0]?.start_ts ?? 0), asOf ?? now);
    const value = asOf ?? now;
    const said = asOf === undefined ? "now" : instant(asOf, this.#timezone);
    render(
      html`<button class="live" type="button" aria-pressed=${asOf === undefined} @click=${() => this.#keep(undefined)}
          title="the present (L)">Live</button>
        <span class="steps">${STEPS.map(
          ([text, title, by]) =>
            html`<button type="button" title=${title} aria-label=${title} @click=${() => this.#keep(value + by)}>${text}</button>`,
        )}</span>
        <span class="track">
          ${this.#line(begin, now)}
          <input type="range" aria-label="as of" aria-valuetext=${said} min=${begin} max=${now} step="1000"
            .value=${String(value)} @input=${this.#dragged} @change=${this.#dropped}>
        </span>
        <output class="num">${asOf === undefined ? clock(now, this.#timezone) : said}
          ${asOf === undefined ? nothing : html`<small>${duration(now - asOf)} ago</small>`}</output>
        <select aria-label="how far the slider goes back" @change=${this.#spanned}>${SPANS.map(
          ([text, ms]) => html`<option value=${ms} ?selected=${ms === this.#span}>${text}</option>`,
        )}</select>`,
      this.#element,
    );
  }

  readonly #dragged = (event: Event): void => {
    const value = Number((event.target as HTMLInputElement).value);
    this.#waiting ||= window.setTimeout(() => {
      this.#waiting = 0;
      this.#feed.look(this.#instant(Number((this.#element.querySelector("input") as HTMLInputElement).value || value)));
    }, LOOK_EVERY_MS);
  };

  readonly #dropped = (event: Event): void => {
    this.#keep(Number((event.target as HTMLInputElement).value));
  };

  readonly #spanned = (event: Event): void => {
    this.#span = Number((event.target as HTMLSelectElement).value);
    this.#readAt = 0;
    this.draw();
  };

  #keep(asOf: number | undefined): void {
    clearTimeout(this.#waiting);
    this.#waiting = 0;
    const instant = asOf === undefined ? undefined : this.#instant(asOf);
    this.#feed.look(instant);
    this.#settled(instant);
  }

  /** The end of the slider is the present. */
  #instant(value: number): number | undefined {
    return value >= Math.floor(this.#now() / 1_000) * 1_000 - 500 ? undefined : value;
  }

  #line(begin: number, end: number) {
    if (this.#bars.length < 2) return nothing;
    const points = this.#bars.map(({ start_ts, close }) => [start_ts, close] as const);
    return html`<svg viewBox="0 0 1000 24" preserveAspectRatio="none" aria-hidden="true">
      ${svg`<path d=${path(points, [begin, end], 1000, 24)} />`}
    </svg>`;
  }

  async #read(): Promise<void> {
    const product = this.#product;
    if (product === undefined) return;
    this.#readAt = Date.now();
    const query = { interval: "1m", from: this.#now() - this.#span };
    try {
      const { bars } = await this.#api.get<{ bars: Bar[] }>(`/ohlc/${product}`, { ...query, from: Math.floor(query.from) });
      if (product === this.#product) this.#bars = bars;
    } catch (error) {
      if (!(error instanceof Problem)) throw error; // without prices the slider is as good
    }
  }
}
