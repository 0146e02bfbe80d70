/** What a view lets its reader choose, kept in the address. */
import { html, type TemplateResult } from "lit-html";

import type { Context } from "../view";

export interface Choice {
  /** In the address. */
  readonly key: string;
  readonly label: string;
  /** The first is the usual one, which the address leaves out. */
  readonly options: readonly (readonly [value: string, label: string])[];
}

/** The chosen option, or the usual one if the address names none that there is. */
export function chosen(context: Context, { key, options }: Choice): string {
  const named = context.place.choices?.[key];
  return options.find(([value]) => value === named)?.[0] ?? (options[0] as readonly [string, string])[0];
}

export function choose(context: Context, key: string, value: string | undefined): void {
  const { [key]: _, ...others } = context.place.choices ?? {};
  context.go({ choices: value === undefined ? others : { ...others, [key]: value } });
}

export function picker(context: Context, choice: Choice): TemplateResult {
  const at = chosen(context, choice);
  return html`
    <div class="choice" role="group" aria-label=${choice.label}>
      <span class="choice-label" aria-hidden="true">${choice.label}</span>
      ${choice.options.map(
        ([value, label], i) => html`
          <button type="button" aria-pressed=${value === at} @click=${() => choose(context, choice.key, i === 0 ? undefined : value)}>${label}</button>
        `,
      )}
    </div>
  `;
}
