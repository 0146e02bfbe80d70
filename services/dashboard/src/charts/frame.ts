/**
 * What surrounds every chart: title, legend with the values under the cursor, the table instead of the picture, files,
 * and what is said while there is nothing to draw.
 */
import { html, nothing, render, type TemplateResult } from "lit-html";

import { label } from "../explain";
import type { TermName } from "../glossary";
import { csv, type Described, type Table, type Tone } from "../model/figure";
import { onLook, type Palette, palette } from "./palette";

export interface Key {
  readonly label: string;
  readonly tone?: Tone | undefined;
  readonly class?: number | undefined;
  readonly sign: "line" | "dash" | "dot" | "bar" | "round" | "square" | "diamond" | "cross" | "whisker" | "none";
  /** Under the cursor. */
  readonly value?: string | undefined;
}

export interface FrameOptions {
  readonly title: string;
  /** Names files. */
  readonly name: string;
  /** What it is about, which the glossary knows. */
  readonly term?: TermName | undefined;
  /** Draw at this size in CSS pixels, with these colours. */
  draw(width: number, height: number, palette: Palette): void;
  /** What was drawn. */
  picture(): HTMLCanvasElement | null;
  /** Move the cursor by so many values, or to an end. */
  step?(by: Step): void;
}

export type Step = { readonly x?: number; readonly y?: number } | "first" | "last" | "none";

const KEYS: Readonly<Record<string, Step>> = {
  ArrowLeft: { x: -1 },
  ArrowRight: { x: 1 },
  ArrowUp: { y: -1 },
  ArrowDown: { y: 1 },
  Home: "first",
  End: "last",
  Escape: "none",
};
const PICTURE_PADDING = 12;
const PICTURE_LINE = 18;

let figures = 0;

export class Frame {
  readonly element = document.createElement("figure");
  /** Where the chart draws itself. */
  readonly ground = document.createElement("div");
  readonly #options: FrameOptions;
  readonly #id = `figure-${(figures += 1)}`;
  readonly #resized: ResizeObserver;
  readonly #unlook: () => void;
  #palette: Palette | undefined;
  #described: Described | undefined;
  #keys: readonly Key[] = [];
  #at = "";
  #spoken = "";
  #words: { readonly kind: "loading" | "empty" | "error"; readonly text: string } | undefined = {
    kind: "loading",
    text: "Loading",
  };
  #about = { subject: "", file: "" };
  #trouble = "";
  #asTable = false;
  #width = 0;
  #height = 0;

  constructor(options: FrameOptions) {
    this.#options = options;
    this.element.className = "chart";
    Object.assign(this.element.dataset, { figure: options.name, freshness: "loading" });
    this.ground.className = "chart-ground";
    this.#render();
    this.#resized = new ResizeObserver(([entry]) => {
      const { width, height } = (entry as ResizeObserverEntry).contentRect;
      [this.#width, this.#height] = [Math.floor(width), Math.floor(height)];
      this.draw();
    });
    this.#resized.observe(this.ground);
    this.#unlook = onLook(() => {
      this.#palette = undefined;
      this.draw();
    });
  }

  get palette(): Palette {
    return (this.#palette ??= palette(this.element));
  }

  /** What files are of, in words and as the beginning of their names. */
  about(subject: string, file: string): void {
    this.#about = { subject, file };
  }

  describe(described: Described, keys: readonly Key[]): void {
    this.#described = described;
    this.#keys = keys;
    this.#words = undefined;
    this.#trouble = "";
    delete this.element.dataset.freshness;
    this.#render();
  }

  /** What is drawn could not be renewed, and why; without a picture that is all there is to say. */
  trouble(text: string): void {
    if (this.#words !== undefined) return this.say("error", text);
    this.#trouble = text;
    this.#render();
  }

  /** What stands under the cursor. `spoken`: it was moved by a key. */
  point(at: string, keys: readonly Key[], spoken: boolean): void {
    this.#at = at;
    this.#keys = keys;
    if (spoken)
      this.#spoken = [at, ...keys.filter((key) => key.value).map((key) => `${key.label} ${key.value}`)].join(", ");
    this.#render();
  }

  /** There is nothing to draw, and why. */
  say(kind: "loading" | "empty" | "error", text: string): void {
    this.#words = { kind, text };
    this.element.dataset.freshness = kind === "loading" ? "loading" : "absent";
    this.#render();
  }

  draw(): void {
    if (this.#width > 0 && this.#height > 0) this.#options.draw(this.#width, this.#height, this.palette);
  }

  destroy(): void {
    this.#resized.disconnect();
    this.#unlook();
    this.element.remove();
  }

  #render(): void {
    const { title, term } = this.#options;
    const words = this.#words;
    const shown = words === undefined && this.#described !== undefined;
    const at = shown ? this.#described?.at : undefined;
    this.ground.hidden = this.#asTable && shown;
    this.ground.classList.toggle("is-bare", !shown);
    render(
      html`
        <figcaption>
          <h2 id=${this.#id}>
            ${term === undefined ? title : label(term, title)}${at ? html`<small class="num">${at}</small>` : nothing}
          </h2>
          <div class="chart-tools" role="group" aria-label=${`${title}: other forms`}>
            <button type="button" aria-pressed=${this.#asTable} ?disabled=${!shown} @click=${this.#turn}>Table</button>
            <button type="button" ?disabled=${!shown} @click=${this.#saveTable}>CSV</button>
            <button type="button" ?disabled=${!shown || this.#asTable} @click=${this.#savePicture}>PNG</button>
          </div>
        </figcaption>
        <div class="chart-keys" aria-hidden="true">
          <span class="chart-at">${this.#at}</span>${this.#keys.map(keyOf)}
        </div>
        <div class="chart-stage" tabindex=${shown && !this.#asTable ? 0 : nothing} role="group" aria-labelledby=${this.#id}
          @keydown=${this.#key}>
          <div class="chart-image" role=${shown && !this.#asTable ? "img" : nothing}
            aria-label=${shown && !this.#asTable ? this.#described?.summary : nothing}>${this.ground}</div>
          ${this.#asTable && shown ? tableOf(title, this.#described?.table as Table) : nothing}
          ${shown && this.#trouble ? html`<p class="chart-trouble" role="status">${this.#trouble}</p>` : nothing}
          ${words ? html`<p class="chart-words is-${words.kind}" role="status">${words.text}</p>` : nothing}
        </div>
        <p class="hidden" aria-live="polite">${this.#spoken}</p>
      `,
      this.element,
    );
  }

  get #fileName(): string {
    return [this.#about.file, this.#options.name].filter(Boolean).join("-");
  }

  readonly #turn = (): void => {
    this.#asTable = !this.#asTable;
    this.#render();
  };

  readonly #key = (event: KeyboardEvent): void => {
    const step = KEYS[event.key];
    if (step === undefined || this.#asTable || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#options.step?.(step);
  };

  readonly #saveTable = (): void => {
    save(new Blob([csv(this.#described?.table as Table)], { type: "text/csv" }), `${this.#fileName}.csv`);
  };

  readonly #savePicture = (): void => {
    const picture = this.#options.picture();
    if (picture === null) return;
    const title = [this.#options.title, this.#about.subject, this.#described?.at].filter(Boolean).join(" · ");
    framed(picture, title, this.#keys, this.palette).toBlob((blob) => {
      if (blob) save(blob, `${this.#fileName}.png`);
    });
  };
}

function keyOf({ label: name, tone, class: index, sign, value }: Key): TemplateResult {
  const colour = tone === undefined ? `is-class-${index}` : `is-${tone}`;
  const shown = value === undefined ? nothing : html` <b>${value}</b>`;
  return html`<span class="chart-key"><i class="sign ${colour} sign-${sign}"></i>${name}${shown}</span>`;
}

function tableOf(title: string, { columns, rows }: Table): TemplateResult {
  const shown = (cell: string | number | null, column: number): string => {
    if (cell === null) return "–";
    return typeof cell === "number" ? (columns[column]?.show ?? String)(cell) : cell;
  };
  return html`
    <div class="chart-table" tabindex="0" role="region" aria-label=${`${title}, as a table`}>
      <table>
        <thead><tr>${columns.map(({ title: name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
        <tbody>
          ${rows.map(
            ([head = null, ...cells]) =>
              html`<tr><th scope="row">${shown(head, 0)}</th>${cells.map((cell, i) => html`<td>${shown(cell, i + 1)}</td>`)}</tr>`,
          )}
        </tbody>
      </table>
    </div>
  `;
}

/** The picture with its title and legend, on the ground it stands on. */
function framed(picture: HTMLCanvasElement, title: string, keys: readonly Key[], colours: Palette): HTMLCanvasElement {
  const whole = document.createElement("canvas");
  const pixels = devicePixelRatio;
  const [padding, line] = [PICTURE_PADDING * pixels, PICTURE_LINE * pixels];
  whole.width = picture.width + 2 * padding;
  whole.height = picture.height + 2 * line + 2 * padding;
  const context = whole.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, whole.width, whole.height);
  context.textBaseline = "top";
  context.font = `600 ${13 * pixels}px system-ui, sans-serif`;
  context.fillStyle = colours.text;
  context.fillText(title, padding, padding);
  context.font = `${11 * pixels}px system-ui, sans-serif`;
  let x = padding;
  for (const { label: name, tone, class: index, sign } of keys) {
    if (sign === "none") continue;
    context.fillStyle = tone === undefined ? colours.class(index ?? 0) : colours.tone(tone);
    context.fillRect(x, padding + line + 2 * pixels, 8 * pixels, 8 * pixels);
    context.fillStyle = colours.text;
    context.fillText(name, x + 12 * pixels, padding + line);
    x += 24 * pixels + context.measureText(name).width;
  }
  context.drawImage(picture, padding, padding + 2 * line);
  return whole;
}

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}
