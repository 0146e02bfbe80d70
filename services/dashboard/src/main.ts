/** The page put together. */
import { html, render } from "lit-html";

import { Api, ask, Problem } from "./api";
import { Catalog } from "./catalog";
import { Explainer } from "./explain";
import { Feed } from "./feed";
import { Live } from "./live";
import { showLogin } from "./login";
import { Past } from "./past";
import { Session } from "./session";
import { Shell } from "./shell";
import { VIEWS } from "./views";

const TRY_AGAIN_MS = 2_000;

async function start(element: HTMLElement): Promise<void> {
  const session = new Session();
  const api = new Api(session);
  const [config] = await Promise.all([
    patiently(element, () => ask<{ socket_url: string | null }>("/config.json", {})),
    patiently(element, () => session.begin()),
  ]);
  const live = new Live(config.body.socket_url ?? location.origin, session);
  const feed = new Feed(live, new Past(api));
  new Explainer(api, () => feed.asOf);
  let shell: Shell | undefined;

  function turn(): void {
    const within = session.state === "in";
    if (within && shell === undefined) {
      render(html``, element);
      live.open();
      // Of another account, other things may be there to see.
      shell = new Shell(element, { session, api, live, feed, catalog: new Catalog(api), views: VIEWS });
    } else if (!within) {
      shell?.close();
      shell = undefined;
      live.close();
      showLogin(element, session);
    }
  }

  session.onChange(turn);
  turn();
}

/** Again and again, and the page says so: whoever opens it while the server starts needs not do it twice. */
async function patiently<Result>(element: HTMLElement, work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const words = error.message;
      render(html`<main class="blank" role="status"><p>Option ARO</p><p>${words}; trying again …</p></main>`, element);
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
  }
}

// A part that is not there any more belongs to an older build of this page.
addEventListener("vite:preloadError", () => location.reload());
void start(document.getElementById("page") as HTMLElement);
