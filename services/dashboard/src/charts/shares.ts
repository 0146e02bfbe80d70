/** Shares of classes in a whole, as one bar each. */
import { html, render } from "lit-html";

import type { Show } from "../model/figure";

type Share = { readonly class: number; readonly name: string; readonly share: number };

/** Narrower parts have no room for their number. */
const LABELLED_FROM = 0.09;

export class Shares {
  readonly element = document.createElement("div");

  constructor() {
    this.element.className = "shares";
  }

  show(bars: Readonly<Record<string, readonly Share[]>>, show: Show): void {
    render(
      Object.entries(bars).map(
        ([label, parts]) => html`
          <span class="shares-label">${label}</span>
          <span class="shares-bar" role="img" aria-label=${`${label}: ${told(parts, show)}`}>
            ${parts.length === 0 ? html`<span class="shares-none">no change</span>` : parts.map((part) => this.#part(part, show))}
          </span>
        `,
      ),
      this.element,
    );
    // By script, as the page's policy takes no style attributes.
    for (const part of this.element.querySelectorAll<HTMLElement>("[data-share]"))
      part.style.flexGrow = part.dataset.share ?? "0";
  }

  clear(): void {
    render(html``, this.element);
  }

  #part({ class: index, name, share }: Share, show: Show) {
    const text = share >= LABELLED_FROM ? show(share) : "";
    const title = `${name} ${show(share)}`;
    return html`<span class=${`shares-part is-class-${index}`} data-share=${share} title=${title}>${text}</span>`;
  }
}

function told(parts: readonly Share[], show: Show): string {
  return parts.map(({ name, share }) => `${name} ${show(share)}`).join(", ") || "no change";
}
