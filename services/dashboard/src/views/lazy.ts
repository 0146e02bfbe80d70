/** Views whose code is fetched when they are first looked at. */
import { html, nothing, render } from "lit-html";

import type { Context, Mounted, View } from "../view";

type Part = (element: HTMLElement, context: Context) => Mounted;

export function lazy(view: Omit<View, "mount">, load: () => Promise<Part>): View {
  return {
    ...view,
    mount(element, first) {
      let context = first;
      let mounted: Mounted | undefined;
      let isWanted = true;
      const host = document.createElement("div");
      host.className = "view";
      host.dataset.freshness = "loading";
      element.replaceChildren(host);
      const begin = async (): Promise<void> => {
        render(html`<p class="view-words" role="status">Loading</p>`, host);
        try {
          const part = await load();
          if (!isWanted) return;
          render(nothing, host);
          mounted = part(host, context);
        } catch (error) {
          console.error(error);
          if (isWanted)
            render(
              failed(() => void begin()),
              host,
            );
        }
      };
      void begin();
      return {
        update(next) {
          context = next;
          if (mounted?.update) mounted.update(next);
        },
        unmount() {
          isWanted = false;
          mounted?.unmount();
          host.remove();
        },
      };
    },
  };
}

const failed = (again: () => void) => html`
  <p class="view-words is-error" role="alert">This view could not be loaded. <button type="button" @click=${again}>Try again</button></p>
`;
