/** Smile, surface and term structure of a product. */
import "../charts/charts.css";

import { html, nothing, render, type TemplateResult } from "lit-html";

import { HeatMap } from "../charts/heatmap";
import { Relief } from "../charts/relief";
import { XyChart } from "../charts/xy";
import { label } from "../explain";
import { ratio } from "../format";
import type { Surface } from "../messages";
import type { SmileAnswer, SurfaceAnswer, SurfaceGrid, TermAnswer, Violation } from "../model/answers";
import { type Formats, formatsOf } from "../model/formats";
import { describedViolation, smilePlot } from "../model/smile";
import { type Axis, gridOf, type SurfaceHead, surfaceMatrix, termPlot } from "../model/surface";
import type { Context, Mounted, Reading } from "../view";
import { ask } from "./asked";
import { type Choice, chosen, picker } from "./choices";

const AXIS: Choice = {
  key: "axis",
  label: "Axis",
  options: [
    ["moneyness", "Moneyness"],
    ["strike", "Strike"],
    ["delta", "Delta"],
  ],
};
const RANGE: Choice = {
  key: "range",
  label: "Strikes",
  options: [
    ["near", "Around the fit"],
    ["all", "All quoted"],
  ],
};
const FORM: Choice = {
  key: "form",
  label: "Surface",
  options: [
    ["map", "Map"],
    ["relief", "Relief"],
  ],
};
const MODELS: Readonly<Record<Surface["model"], string>> = {
  svi: "SVI by expiry",
  svi_repaired: "SVI, moved until free of arbitrage",
  ssvi: "SSVI over all expiries",
};

export function mount(element: HTMLElement, context: Context): Mounted {
  const view = new SmileView(element);
  view.look(context);
  return { update: (next) => view.look(next), unmount: () => view.destroy() };
}

class SmileView {
  readonly #smile = new XyChart("Smile", "smile", "smile");
  readonly #term = new XyChart("Term structure", "term-structure", "term_structure");
  readonly #map = new HeatMap("Surface", "surface", "surface");
  readonly #relief = new Relief("Surface", "surface-relief", "surface");
  readonly #element: HTMLElement;
  #context!: Context;
  #formats!: Formats;
  #answer: SmileAnswer | undefined;
  #grid: SurfaceGrid | undefined;
  #surface: SurfaceHead | undefined;

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  look(context: Context): void {
    this.#context = context;
    const { product = "", expiry = "" } = context.place;
    Object.assign(this.#element.dataset, { product, expiry });
    this.#formats = formatsOf(context.market(product));
    this.#smile.frame.about(`${product} ${this.#formats.day(expiry)}`, `${product}-${expiry}`);
    for (const { frame } of [this.#map, this.#relief, this.#term]) frame.about(product, product);
    if (this.#answer?.product !== product || this.#answer.expiry !== expiry) this.#forget(product);
    this.#draw();
    ask(
      context,
      `metrics:${product}:${expiry}`,
      () => [
        {
          path: `/analytics/${product}/smile`,
          query: { expiry },
          show: (answer: SmileAnswer) => {
            this.#answer = answer;
            this.#draw();
          },
          fail: (words, isPassing) => {
            if (isPassing) return this.#smile.frame.trouble(words);
            this.#answer = undefined;
            this.#smile.frame.say("empty", words);
            this.#draw();
          },
        },
      ],
      this.#element,
    );
    const axis = chosen(context, AXIS) as Axis;
    const channel = `surface:${product}`;
    if (axis === "moneyness") context.follow<Surface>(channel, (reading) => this.#published(reading));
    ask(context, channel, () => [
      ...(axis === "moneyness" ? [] : [this.#asked(product, axis)]),
      {
        path: `/analytics/${product}/term-structure`,
        show: (answer: TermAnswer) => this.#term.show(termPlot(answer, this.#formats)),
        fail: (words, isPassing) =>
          isPassing ? this.#term.frame.trouble(words) : this.#term.frame.say("empty", words),
      },
    ]);
  }

  destroy(): void {
    for (const chart of [this.#smile, this.#term, this.#map, this.#relief]) chart.destroy();
  }

  #forget(product: string): void {
    this.#answer = undefined;
    this.#smile.frame.say("loading", "Loading the smile");
    if (this.#surface?.product === product) return;
    this.#surface = this.#grid = undefined;
    for (const { frame } of [this.#map, this.#relief]) frame.say("loading", "Loading the surface");
    this.#term.frame.say("loading", "Loading the term structure");
  }

  #published({ data, freshness, problem }: Reading<Surface>): void {
    if (data !== undefined) this.#take(data, gridOf(data));
    else if (freshness === "absent") this.#without(problem ?? "There is no surface.");
  }

  #asked(product: string, axis: Axis) {
    return {
      path: `/analytics/${product}/surface`,
      query: { axis },
      show: (answer: SurfaceAnswer) => this.#take(answer, answer.grid as SurfaceGrid),
      fail: (words: string, isPassing: boolean) => {
        if (!isPassing) return this.#without(words);
        for (const { frame } of [this.#map, this.#relief]) frame.trouble(words);
      },
    };
  }

  #take(surface: SurfaceHead, grid: SurfaceGrid): void {
    [this.#surface, this.#grid] = [surface, grid];
    this.#draw();
  }

  #without(words: string): void {
    this.#surface = this.#grid = undefined;
    for (const { frame } of [this.#map, this.#relief]) frame.say("empty", words);
    this.#draw();
  }

  #draw(): void {
    const context = this.#context;
    const isRelief = chosen(context, FORM) === "relief";
    const violations = this.#surface?.violations ?? [];
    render(
      html`
        <div class="choices">${[AXIS, RANGE, FORM].map((choice) => picker(context, choice))}</div>
        ${this.#numbers()} ${faults(violations, this.#surface, this.#formats)}
        <div class="charts charts-smile">
          ${this.#smile.element} ${isRelief ? this.#relief.element : this.#map.element} ${this.#term.element}
        </div>
      `,
      this.#element,
    );
    this.#drawSmile(violations);
    if (this.#surface === undefined || this.#grid === undefined) return;
    const matrix = surfaceMatrix(this.#surface, this.#grid, this.#formats);
    const chart = isRelief ? this.#relief : this.#map;
    if (matrix.xLabels.length === 0) chart.frame.say("empty", "No volatility of the surface is known.");
    else chart.show(matrix);
  }

  #drawSmile(violations: readonly Violation[]): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    const plot = smilePlot(
      answer,
      {
        axis: chosen(this.#context, AXIS) === "moneyness" ? "moneyness" : "strike",
        whole: chosen(this.#context, RANGE) === "all",
        violations: violations.filter(({ expiry }) => expiry === answer.expiry),
      },
      this.#formats,
    );
    if (plot.x.length === 0) this.#smile.frame.say("empty", "No strike of this expiry has a quoted volatility.");
    else this.#smile.show(plot);
  }

  #numbers(): TemplateResult {
    const { vol, volPoints, error } = this.#formats;
    const answer = this.#answer;
    const { product, expiry } = this.#context.place;
    const told = (value: number | null | undefined, show: (value: number) => string): string =>
      value == null ? "–" : show(value);
    return html`
      <dl class="figures" data-product=${product ?? nothing} data-expiry=${expiry ?? nothing}>
        ${[
          [label("iv_atm"), told(answer?.iv_atm, vol), answer?.iv_atm],
          [label("rr25"), told(answer?.rr25, volPoints), answer?.rr25],
          [label("bf25"), told(answer?.bf25, volPoints), answer?.bf25],
          [label("skew_25d_norm"), told(answer?.skew_25d_norm, (value) => ratio(value, 3)), answer?.skew_25d_norm],
          [label("smile_rmse"), told(answer?.fit?.rmse, error), answer?.fit?.rmse],
          ["Quotes in the fit", told(answer?.fit?.points, String), undefined],
          ["Surface", this.#surface === undefined ? "–" : MODELS[this.#surface.model], undefined],
        ].map(
          ([name, value, exact]) =>
            html`<div data-exact=${exact ?? nothing}><dt>${name}</dt><dd class="num">${value}</dd></div>`,
        )}
      </dl>
    `;
  }
}

function faults(violations: readonly Violation[], surface: SurfaceHead | undefined, formats: Formats): TemplateResult {
  if (surface === undefined) return html``;
  const count = surface.violation_count;
  return html`
    <section class="faults" aria-label="Arbitrage">
      ${
        count === 0
          ? html`<p>No arbitrage, neither in the bids and asks of this moment nor in the smiles as fitted.</p>`
          : html`<p>${count} ${count === 1 ? "violation" : "violations"} of no-arbitrage</p>`
      }
      ${
        count === 0
          ? nothing
          : html`<ul>
              ${violations.map((violation) => html`<li class=${violation.tradable ? "is-tradable" : ""}>${describedViolation(violation, formats)}</li>`)}
            </ul>`
      }
    </section>
  `;
}
