/** Where open interest stands, where it moves, and what it would do to those who hold it. */
import "../charts/charts.css";

import { html, render } from "lit-html";

import { HeatMap } from "../charts/heatmap";
import { Shares } from "../charts/shares";
import { XyChart } from "../charts/xy";
import type { Metrics } from "../messages";
import type { BuildupAnswer, GexAnswer, MaxPainAnswer, OiAnswer } from "../model/answers";
import { type Formats, formatsOf } from "../model/formats";
import {
  buildupMatrix,
  gexPlot,
  gexProfilePlot,
  oiChangePlot,
  oiPlot,
  painPlot,
  sharesOf,
  type Window,
} from "../model/positioning";
import type { Context, Mounted, Reading } from "../view";
import { ask, type Question } from "./asked";
import { type Choice, chosen, picker } from "./choices";

const RANGE: Choice = {
  key: "range",
  label: "Strikes",
  options: [
    ["near", "Around the money"],
    ["all", "All"],
  ],
};
const SINCE: Choice = {
  key: "since",
  label: "Change since",
  options: [
    ["close", "Previous close"],
    ["15m", "15 min"],
    ["1h", "1 h"],
  ],
};
const SIGNS: Choice = {
  key: "signs",
  label: "Dealers",
  options: [
    ["naive", "Long calls, short puts"],
    ["all_short", "Short both"],
  ],
};
const SCOPE: Choice = {
  key: "scope",
  label: "Gamma of",
  options: [
    ["expiry", "This expiry"],
    ["next3", "Next 3"],
    ["all", "All"],
  ],
};
const BESIDE = 20;

export function mount(element: HTMLElement, context: Context): Mounted {
  const view = new PositioningView(element);
  view.look(context);
  return { update: (next) => view.look(next), unmount: () => view.destroy() };
}

class PositioningView {
  readonly #oi = new XyChart("Open interest", "open-interest", "open_interest");
  readonly #change = new XyChart("Change of open interest", "open-interest-change", "open_interest_change");
  readonly #buildup = new HeatMap("Build-up", "build-up", "buildup");
  readonly #shares = new Shares();
  readonly #gex = new XyChart("Gamma exposure by strike", "gamma-by-strike", "gex");
  readonly #profile = new XyChart("Gamma exposure by spot", "gamma-by-spot", "gex_by_spot");
  readonly #pain = new XyChart("Max pain", "max-pain", "max_pain");
  readonly #element: HTMLElement;
  #context!: Context;
  #formats!: Formats;
  #metrics: Metrics | undefined;
  #oiAnswer: OiAnswer | undefined;
  #of = "";

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  look(context: Context): void {
    this.#context = context;
    const { product = "", expiry = "" } = context.place;
    Object.assign(this.#element.dataset, { product, expiry });
    this.#formats = formatsOf(context.market(product));
    for (const { frame } of this.#figures)
      frame.about(`${product} ${this.#formats.day(expiry)}`, `${product}-${expiry}`);
    if (this.#of !== `${product} ${expiry}`) {
      this.#of = `${product} ${expiry}`;
      this.#metrics = this.#oiAnswer = undefined;
      for (const { frame } of this.#figures) frame.say("loading", "Loading");
    }
    render(
      html`
        <div class="choices">${[RANGE, SINCE, SIGNS, SCOPE].map((choice) => picker(context, choice))}</div>
        <div class="charts">
          ${this.#oi.element} ${this.#change.element}
          <div class="chart-pair">${this.#buildup.element} ${this.#shares.element}</div>
          ${this.#pain.element} ${this.#gex.element} ${this.#profile.element}
        </div>
      `,
      this.#element,
    );
    const channel = `metrics:${product}:${expiry}`;
    context.follow<Metrics>(channel, (reading) => this.#levels(reading), { maxRateHz: 1 });
    ask(context, channel, () => this.#questions(product, expiry), this.#element);
  }

  destroy(): void {
    for (const figure of this.#figures) figure.destroy();
  }

  get #figures() {
    return [this.#oi, this.#change, this.#buildup, this.#gex, this.#profile, this.#pain];
  }

  #levels({ data }: Reading<Metrics>): void {
    this.#metrics = data;
    this.#drawOi();
  }

  #questions(product: string, expiry: string): Question[] {
    const since = chosen(this.#context, SINCE);
    const window = since === "close" ? undefined : since;
    const fails =
      (...figures: (XyChart | HeatMap)[]) =>
      (words: string, isPassing: boolean) => {
        for (const { frame } of figures) isPassing ? frame.trouble(words) : frame.say("empty", words);
      };
    return [
      {
        path: `/analytics/${product}/oi-change`,
        query: { expiry, window },
        show: (answer: OiAnswer) => {
          this.#oiAnswer = answer;
          this.#drawOi();
        },
        fail: (words, isPassing) => {
          if (!isPassing) this.#oiAnswer = undefined;
          fails(this.#oi, this.#change)(words, isPassing);
        },
      },
      {
        path: `/analytics/${product}/oi-buildup`,
        query: { expiry, window },
        show: (answer: BuildupAnswer) => this.#drawBuildup(answer),
        fail: (words, isPassing) => {
          if (!isPassing) this.#shares.clear();
          fails(this.#buildup)(words, isPassing);
        },
      },
      {
        path: `/analytics/${product}/gex`,
        query: { expiry, sign_model: chosen(this.#context, SIGNS), scope: chosen(this.#context, SCOPE) },
        show: (answer: GexAnswer) => {
          this.#gex.show(gexPlot(answer, this.#window(answer.spot), this.#formats));
          this.#profile.show(gexProfilePlot(answer, this.#formats));
        },
        fail: fails(this.#gex, this.#profile),
      },
      {
        path: `/analytics/${product}/max-pain`,
        query: { expiry },
        show: (answer: MaxPainAnswer) =>
          this.#pain.show(painPlot(answer, this.#window(answer.forward ?? answer.spot), this.#formats)),
        fail: fails(this.#pain),
      },
    ];
  }

  #window(centre: number): Window {
    return { centre, beside: chosen(this.#context, RANGE) === "all" ? null : BESIDE };
  }

  #drawOi(): void {
    const [answer, metrics] = [this.#oiAnswer, this.#metrics];
    if (answer === undefined || metrics === undefined) return;
    const window = this.#window(metrics.forward ?? metrics.spot);
    this.#oi.show(oiPlot(answer, metrics, window, this.#formats));
    this.#change.show(oiChangePlot(answer, metrics, window, this.#formats));
  }

  #drawBuildup(answer: BuildupAnswer): void {
    const centre =
      this.#metrics?.forward ?? this.#metrics?.spot ?? answer.strikes[Math.floor(answer.strikes.length / 2)] ?? 0;
    this.#buildup.show(buildupMatrix(answer, this.#window(centre), this.#formats));
    this.#shares.show({ Calls: sharesOf(answer.calls), Puts: sharesOf(answer.puts) }, this.#formats.share);
  }
}
