/** How the platform itself is: from the feed through the pipeline to the clients, and every process on the way. */
import "./system.css";
import { html, nothing, render, type TemplateResult } from "lit-html";

import { ageOf } from "../channels";
import { label } from "../explain";
import * as format from "../format";
import { trouble } from "../freshness";
import type { TermName } from "../glossary";
import { quantileOf } from "../histogram";
import type { Status } from "../messages";
import type { Context, Mounted, Reading, View } from "../view";
import { Recent } from "./system-recent";
import { gateways, latencies, ledger, processes, products, stages } from "./system-parts";

const CHANNEL = "status";
const AGE_EVERY_MS = 1_000;

export const system: View = {
  name: "system",
  title: "System",
  scope: "platform",
  mount(element: HTMLElement, context: Context): Mounted {
    return new System(element, context);
  },
};

class System implements Mounted {
  readonly #element: HTMLElement;
  readonly #context: Context;
  readonly #recent = new Recent();
  readonly #timer: ReturnType<typeof setInterval>;
  #reading: Reading<Status> = { channel: CHANNEL, data: undefined, freshness: "loading" };

  constructor(element: HTMLElement, context: Context) {
    this.#element = element;
    this.#context = context;
    element.classList.add("system");
    this.#draw();
    context.follow<Status>(CHANNEL, (reading) => {
      this.#reading = reading;
      if (reading.data !== undefined) this.#recent.add(reading.data);
      this.#draw();
    });
    this.#timer = setInterval(() => this.#draw(), AGE_EVERY_MS);
  }

  unmount(): void {
    clearInterval(this.#timer);
    render(nothing, this.#element);
    this.#element.classList.remove("system");
  }

  #draw(): void {
    const { data, freshness, epoch, seq } = this.#reading;
    this.#element.dataset.freshness = freshness;
    this.#element.dataset.epoch = epoch ?? "";
    this.#element.dataset.seq = String(seq ?? "");
    render(html`<h1 class="hidden">System</h1>${data === undefined ? this.#without() : this.#with(data)}`, this.#element);
  }

  #without(): TemplateResult {
    if (this.#context.asOf() !== undefined) {
      return html`<div class="empty" role="status">
        <p>How the platform was is not kept here; how it is, is shown live.</p>
        <p><button type="button" @click=${() => this.#context.go({ asOf: undefined })}>Go to now</button></p>
      </div>`;
    }
    const { freshness, problem } = this.#reading;
    return html`<p class="empty" role="status">${trouble(freshness, undefined, problem) ?? "Loading how the platform is …"}</p>`;
  }

  #with(status: Status): TemplateResult {
    const now = this.#context.now();
    const market = this.#context.market();
    return html`${this.#summary(status, now)}
      <div class="parts">
        ${latencies(status)} ${stages(status)} ${ledger(status, this.#recent)} ${gateways(status, market)}
        ${products(status, now)} ${processes(status, now)}
      </div>`;
  }

  #summary(status: Status, now: number): TemplateResult {
    const { freshness, problem } = this.#reading;
    const age = ageOf(status, now);
    const words = trouble(freshness, age, problem);
    const { pipeline, gateways: replicas = [], processes: running = [] } = status;
    const lag = sum(Object.values(status.stream_lag));
    const sockets = sum(replicas.map((each) => each.sockets));
    return html`<section class="summary" aria-label="Summary">
      <dl>
        ${item("publish_latency", pipeline ? quantileOf(pipeline.latency, "p50_ms") : format.MISSING, pipeline?.latency.p50_ms)}
        ${item("publish_latency_p99", pipeline ? quantileOf(pipeline.latency, "p99_ms") : format.MISSING, pipeline?.latency.p99_ms)}
        ${item("chains_per_second", format.ratio(pipeline?.chains_per_second, 1), pipeline?.chains_per_second)}
        ${item("stream_lag", String(lag), lag)}
        ${item("dead_letters", String(status.dead_letters), status.dead_letters, status.dead_letters > 0 ? "warn" : "")}
        ${item("sockets", replicas.length > 0 ? String(sockets) : format.MISSING, replicas.length > 0 ? sockets : null)}
        ${item("processes", running.length > 0 ? String(running.length) : format.MISSING, running.length)}
      </dl>
      ${words === undefined ? nothing : html`<p class="trouble">${words}</p>`}
    </section>`;
  }
}

function item(name: TermName, text: string, exact: number | null | undefined, kind = ""): TemplateResult {
  return html`<div data-exact=${String(exact ?? null)}><dt>${label(name)}</dt>
    <dd class="num" data-field=${name} data-kind=${kind}>${text}</dd></div>`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
