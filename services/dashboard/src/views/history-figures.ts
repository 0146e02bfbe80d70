/** Bars of the underlying and of any metric of an expiry, below one another over the same time. */
import "../charts/charts.css";

import { html, render, type TemplateResult } from "lit-html";

import { Panes } from "../charts/panes";
import type { BarsAnswer } from "../model/answers";
import { extended, history, written } from "../model/candles";
import { formatsOf } from "../model/formats";
import type { Context, Mounted } from "../view";
import { ask, type Question } from "./asked";
import { type Choice, choose, chosen, picker } from "./choices";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const INTERVAL: Choice = {
  key: "interval",
  label: "Bars of",
  options: [
    ["1m", "1 min"],
    ["5m", "5 min"],
    ["15m", "15 min"],
    ["1h", "1 h"],
    ["1d", "1 d"],
  ],
};
/** Of each interval, as long as the API answers in one piece. */
const SPANS: Readonly<Record<string, readonly (readonly [label: string, ms: number])[]>> = {
  "1m": [
    ["1 h", HOUR_MS],
    ["3 h", 3 * HOUR_MS],
    ["6 h", 6 * HOUR_MS],
    ["1 d", DAY_MS],
    ["2 d", 2 * DAY_MS],
  ],
  "5m": [
    ["6 h", 6 * HOUR_MS],
    ["1 d", DAY_MS],
    ["3 d", 3 * DAY_MS],
    ["7 d", 7 * DAY_MS],
  ],
  "15m": [
    ["1 d", DAY_MS],
    ["3 d", 3 * DAY_MS],
    ["7 d", 7 * DAY_MS],
    ["14 d", 14 * DAY_MS],
  ],
  "1h": [
    ["7 d", 7 * DAY_MS],
    ["14 d", 14 * DAY_MS],
    ["31 d", 31 * DAY_MS],
  ],
  "1d": [
    ["31 d", 31 * DAY_MS],
    ["92 d", 92 * DAY_MS],
  ],
};
const WIDTH_MS: Readonly<Record<string, number>> = {
  "1m": 60_000,
  "5m": 300_000,
  "15m": 900_000,
  "1h": HOUR_MS,
  "1d": DAY_MS,
};
const USUAL_PANES = "spot,atm_straddle,iv_atm,pcr_oi";
const PANES_AT_MOST = 6;
/** While live only what may have changed is asked for again: so many bars. */
const TAIL_BARS = 3;

/** What there are bars of, as the API names them. */
const METRICS: readonly (readonly [metric: string, label: string])[] = [
  ["spot", "Spot"],
  ["forward", "Forward"],
  ["basis", "Basis"],
  ["atm_straddle", "Straddle"],
  ["atm_straddle_forward", "Straddle at the forward"],
  ["iv_atm", "ATM IV"],
  ["pcr_oi", "PCR by OI"],
  ["pcr_volume", "PCR by volume"],
  ["pcr_oi_value", "PCR by premium"],
  ["max_pain", "Max pain"],
  ["expected_move_1sd", "Expected move 1 sd"],
  ["expected_move_straddle", "Expected move, straddle"],
  ["expected_move_85", "Expected move, 0.85 straddle"],
  ["rr25", "Risk reversal 25Δ"],
  ["bf25", "Butterfly 25Δ"],
  ["skew_25d_norm", "Skew over ATM"],
  ["gex_net", "Gamma exposure"],
  ["gex_flip", "Gamma flip"],
  ["gamma_density", "Gamma density"],
  ["call_wall", "Call wall"],
  ["put_wall", "Put wall"],
  ["call_oi_wall", "Call OI wall"],
  ["put_oi_wall", "Put OI wall"],
  ["call_open_interest", "Call OI"],
  ["put_open_interest", "Put OI"],
  ["call_volume", "Call volume"],
  ["put_volume", "Put volume"],
  ["smile_rmse", "Error of the fit"],
  ["smile_g_min", "Least g of the fit"],
  ["parity_residual", "Parity residual"],
];
const LABELS = new Map(METRICS);

export function mount(element: HTMLElement, context: Context): Mounted {
  const view = new HistoryView(element);
  view.look(context);
  return { update: (next) => view.look(next), unmount: () => view.destroy() };
}

class HistoryView {
  readonly #panes = new Panes("History", "history");
  readonly #element: HTMLElement;
  readonly #answers = new Map<string, BarsAnswer>();
  #context!: Context;
  #of = "";

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  look(context: Context): void {
    this.#context = context;
    const { product = "", expiry = "" } = context.place;
    const of = `${product} ${expiry} ${this.#interval} ${this.#span}`;
    if (of !== this.#of) {
      this.#of = of;
      this.#answers.clear();
      this.#panes.frame.say("loading", "Loading bars");
    }
    const { day } = formatsOf(context.market(product));
    this.#panes.frame.about(`${product} ${day(expiry)}, ${this.#interval}`, `${product}-${expiry}-${this.#interval}`);
    context.onTime(() => this.#answers.clear());
    this.#drawChoices();
    this.#draw();
    const questions = (): Question[] => this.#metrics.map((metric) => this.#question(product, expiry, metric));
    ask(context, `metrics:${product}:${expiry}`, questions, this.#element);
  }

  destroy(): void {
    this.#panes.destroy();
  }

  get #interval(): string {
    return chosen(this.#context, INTERVAL);
  }

  get #spans(): Choice {
    const options = (SPANS[this.#interval] ?? []).map(([label]) => [label.replace(" ", ""), label] as const);
    return { key: "span", label: "Over", options };
  }

  get #span(): number {
    const at = chosen(this.#context, this.#spans);
    return SPANS[this.#interval]?.find(([label]) => label.replace(" ", "") === at)?.[1] ?? HOUR_MS;
  }

  get #metrics(): string[] {
    const named = (this.#context.place.choices?.panes ?? USUAL_PANES).split(",").filter((metric) => LABELS.has(metric));
    return [...new Set(named.length > 0 ? named : USUAL_PANES.split(","))].slice(0, PANES_AT_MOST);
  }

  #question(product: string, expiry: string, metric: string): Question {
    const interval = this.#interval;
    const end = this.#context.asOf() ?? this.#context.now();
    const known = this.#context.asOf() === undefined ? this.#answers.get(metric) : undefined;
    const last = known?.bars.at(-1);
    const start = end - this.#span;
    const from =
      last === undefined ? start : Math.max(start, last.start_ts - TAIL_BARS * (WIDTH_MS[interval] as number));
    return {
      path: `/ohlc/${product}`,
      query: { interval, metric, from: Math.floor(from), ...(metric === "spot" ? {} : { expiry }) },
      show: (answer: BarsAnswer) => {
        this.#answers.set(metric, known === undefined ? answer : extended(known, answer, start));
        this.#draw();
      },
      fail: (words, isPassing) => {
        if (isPassing) return this.#panes.frame.trouble(words);
        this.#answers.delete(metric);
        this.#panes.frame.say("empty", words);
      },
    };
  }

  #draw(): void {
    const metrics = this.#metrics;
    const answers = metrics.map((metric) => this.#answers.get(metric)).filter((answer) => answer !== undefined);
    if (answers.length < metrics.length) return;
    const shown = history(
      answers,
      metrics.map((metric) => LABELS.get(metric) ?? metric),
    );
    if (shown.starts.length === 0) {
      this.#panes.frame.say(
        "empty",
        "No bars are stored of this time. A platform that has just started has its first within a minute.",
      );
      return;
    }
    const formats = formatsOf(this.#context.market(this.#context.place.product));
    this.#panes.show({
      history: shown,
      interval: this.#interval,
      timezone: answers[0]?.timezone ?? "UTC",
      until: Math.max(...answers.map(({ to_ts }) => to_ts)),
      written: metrics.map((metric) => written(metric, formats)),
    });
  }

  #drawChoices(): void {
    const context = this.#context;
    render(
      html`
        <div class="choices">${picker(context, INTERVAL)} ${picker(context, this.#spans)} ${this.#paneChoice()}</div>
        <div class="charts charts-history">${this.#panes.element}</div>
      `,
      this.#element,
    );
  }

  #paneChoice(): TemplateResult {
    const metrics = this.#metrics;
    const set = (next: readonly string[]): void =>
      choose(this.#context, "panes", next.join() === USUAL_PANES ? undefined : next.join());
    const add = (event: Event): void => {
      const select = event.target as HTMLSelectElement;
      if (select.value !== "") set([...metrics, select.value]);
      select.value = "";
    };
    return html`
      <div class="choice" role="group" aria-label="Panes">
        <span class="choice-label" aria-hidden="true">Panes</span>
        ${metrics.map(
          (metric) => html`
            <button type="button" class="chip" ?disabled=${metrics.length === 1} aria-label=${`Remove ${LABELS.get(metric)}`}
              @click=${() => set(metrics.filter((other) => other !== metric))}>${LABELS.get(metric)}<span aria-hidden="true"> ×</span></button>
          `,
        )}
        <select aria-label="Add a pane" ?disabled=${metrics.length >= PANES_AT_MOST} @change=${add}>
          <option value="">Add …</option>
          ${METRICS.filter(([metric]) => !metrics.includes(metric)).map(([metric, label]) => html`<option value=${metric}>${label}</option>`)}
        </select>
      </div>
    `;
  }
}
