/** The card that tells what a number is: its definition, its unit, and how REST says that it was made. */
import { html, nothing, render, type TemplateResult } from "lit-html";

import { type Api, Problem } from "./api";
import { isTerm, type Term, term, type TermName } from "./glossary";

const HOVER_MS = 350;
const OF_A_PRODUCT = new Set(["variance-index", "iv-rank", "surface", "term-structure"]);
const SHOWN_INPUTS = 8;

interface Explanation {
  formula: string;
  inputs: Readonly<Record<string, unknown>>;
  filters: Readonly<Record<string, unknown>>;
  snapshots: readonly { id: string }[];
}

interface Subject {
  term: Term;
  exact: string | undefined;
  product: string | undefined;
  expiry: string | undefined;
}

/**
 * A number's name as something to point at, and to reach by keyboard. What it is about stands on elements around it:
 * `data-product`, `data-expiry`, and `data-exact` for the number with all its digits.
 */
export function label(name: TermName, text = term(name).name): TemplateResult {
  return html`<button class="term" type="button" data-term=${name}>${text}</button>`;
}

export class Explainer {
  readonly #api: Api;
  readonly #asOf: () => number | undefined;
  readonly #card = document.createElement("div");
  #target: Element | undefined;
  #timer = 0;

  constructor(api: Api, asOf: () => number | undefined) {
    this.#api = api;
    this.#asOf = asOf;
    this.#card.className = "explain";
    this.#card.setAttribute("role", "tooltip");
    this.#card.id = "explain";
    this.#card.hidden = true;
    document.body.append(this.#card);
    document.addEventListener("pointerover", (event) => event.pointerType === "mouse" && this.#hovered(event.target));
    document.addEventListener("click", (event) => this.#pressed(event.target));
    document.addEventListener("focusin", (event) => this.#focused(event.target));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#close());
    document.addEventListener("scroll", () => this.#close(), { capture: true, passive: true });
  }

  #hovered(target: EventTarget | null): void {
    if (target instanceof Node && this.#card.contains(target)) return;
    const found = closest(target);
    if (found === this.#target && !this.#card.hidden) return;
    clearTimeout(this.#timer);
    if (found === undefined) {
      if (!this.#card.hidden) this.#timer = window.setTimeout(() => this.#close(), HOVER_MS / 2);
    } else {
      this.#timer = window.setTimeout(() => this.#open(found), HOVER_MS);
    }
  }

  #pressed(target: EventTarget | null): void {
    if (target instanceof Node && this.#card.contains(target)) return;
    const found = closest(target);
    if (found === undefined) this.#close();
    else this.#open(found);
  }

  #focused(target: EventTarget | null): void {
    const found = closest(target);
    if (found !== undefined && target instanceof Element && target.matches(":focus-visible")) this.#open(found);
    else if (!this.#card.hidden && found !== this.#target) this.#close();
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#target?.removeAttribute("aria-describedby");
    this.#target = undefined;
    this.#card.hidden = true;
  }

  #open(target: Element): void {
    clearTimeout(this.#timer);
    if (target === this.#target) return;
    this.#close();
    const name = (target as HTMLElement).dataset.term ?? "";
    if (!isTerm(name)) return;
    const { product, expiry } = (target.closest("[data-product]") as HTMLElement | null)?.dataset ?? {};
    const exact = (target.closest("[data-exact]") as HTMLElement | null)?.dataset.exact;
    const subject = { term: term(name), exact, product, expiry };
    this.#target = target;
    target.setAttribute("aria-describedby", this.#card.id);
    this.#draw(subject, subject.term.explain === undefined || product === undefined ? undefined : "loading");
    this.#card.hidden = false;
    this.#place(target);
    void this.#explain(subject, target);
  }

  async #explain(subject: Subject, target: Element): Promise<void> {
    const { term: about, product, expiry } = subject;
    if (about.explain === undefined || product === undefined) return;
    const whole = OF_A_PRODUCT.has(about.explain);
    const query = { explain: 1, as_of: this.#asOf(), expiry: whole ? undefined : expiry };
    let found: Explanation | string;
    try {
      found = (await this.#api.get<{ explain: Explanation }>(`/analytics/${product}/${about.explain}`, query)).explain;
    } catch (error) {
      found = error instanceof Problem ? error.message : "cannot be explained now";
    }
    if (this.#target !== target) return;
    this.#draw(subject, found);
    this.#place(target);
  }

  #draw({ term: about, exact }: Subject, found: Explanation | string | undefined): void {
    render(
      html`<h3>${about.name}<small>${about.unit}</small></h3>
        <p>${about.definition}</p>
        ${exact === undefined || exact === "null" ? nothing : html`<p class="exact">${exact}</p>`}
        ${found === undefined ? nothing : made(found)}`,
      this.#card,
    );
  }

  #place(target: Element): void {
    const { left, top, bottom } = target.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.#card;
    const margin = 8;
    const fits = bottom + margin + height < innerHeight;
    this.#card.style.left = `${Math.max(margin, Math.min(left, innerWidth - width - margin))}px`;
    this.#card.style.top = `${Math.max(margin, fits ? bottom + margin : top - height - margin)}px`;
  }
}

function made(found: Explanation | string): TemplateResult {
  if (found === "loading") return html`<p class="made">asking how it was made …</p>`;
  if (typeof found === "string") return html`<p class="made">${found}</p>`;
  const inputs = [...leaves(found.inputs), ...leaves(found.filters)].slice(0, SHOWN_INPUTS);
  return html`<p class="made"><code>${found.formula}</code></p>
    <dl>${inputs.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${found.snapshots.length === 1 ? html`<p class="made">from ${found.snapshots[0]?.id}</p>` : nothing}`;
}

/** Inputs as lines: one level of nesting is undone, long lists are counted. */
function leaves(inputs: Readonly<Record<string, unknown>>): [string, string][] {
  return Object.entries(inputs).flatMap(([name, value]): [string, string][] => {
    if (Array.isArray(value)) return [[words(name), `${value.length} values`]];
    if (typeof value === "object" && value !== null) return leaves(value as Record<string, unknown>);
    return [[words(name), String(value)]];
  });
}

function words(name: string): string {
  return name.replaceAll("_", " ");
}

function closest(target: EventTarget | null): Element | undefined {
  return target instanceof Element ? (target.closest("[data-term]") ?? undefined) : undefined;
}
