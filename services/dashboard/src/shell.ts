/** The frame around the views: navigation, what is looked at, how good it is, and when. */
import { html, nothing, render } from "lit-html";

import { type Api, Problem } from "./api";
import type { Catalog } from "./catalog";
import { ageOf } from "./channels";
import type { Feed } from "./feed";
import { day, duration, instant } from "./format";
import { BADGES, trouble } from "./freshness";
import type { Live } from "./live";
import type { Product, Status } from "./messages";
import { formatPlace, moved, parsePlace, type Place, sameChoices } from "./router";
import type { Session } from "./session";
import { TimeBar } from "./timebar";
import type { Context, Freshness, Mounted, View } from "./view";

const STATUS = "status";
const TRY_AGAIN_MS = 3_000;
/** As that of the channels of a product: ticks, metrics, chains. */
const SILENT_MS = 5_000;

export interface Parts {
  readonly session: Session;
  readonly api: Api;
  readonly live: Live;
  readonly feed: Feed;
  readonly catalog: Catalog;
  readonly views: readonly View[];
}

export class Shell {
  readonly #parts: Parts;
  readonly #head: HTMLElement;
  readonly #band: HTMLElement;
  #main: HTMLElement;
  readonly #timeBar: TimeBar;
  #place: Place;
  #view: View | undefined;
  #mounted: Mounted | undefined;
  #aborter = new AbortController();
  #leaving: (() => void)[] = [];
  #products: readonly Product[] = [];
  #expiries: readonly string[] = [];
  /** What keeps a place from being shown, in words. */
  #fault = "";
  #turn = 0;
  readonly #stop: (() => void)[] = [];

  constructor(element: HTMLElement, parts: Parts) {
    this.#parts = parts;
    render(
      html`<a class="skip" href="#view" @click=${this.#skip}>Skip to the numbers</a>
        <header class="head"></header>
        <div class="band" role="status"></div>
        <main id="view" tabindex="-1"></main>
        <footer class="time"></footer>`,
      element,
    );
    const part = (selector: string) => element.querySelector(selector) as HTMLElement;
    this.#head = part("header");
    this.#band = part(".band");
    this.#main = part("main");
    this.#place = parsePlace(location.hash, parts.views[0]?.name ?? "");
    const settled = (asOf: number | undefined) => this.#address({ ...this.#place, asOf });
    this.#timeBar = new TimeBar(part("footer"), parts.feed, parts.api, () => parts.live.now(), settled);
    this.#listen(window, "hashchange", () => this.#arrive(parsePlace(location.hash, parts.views[0]?.name ?? "")));
    this.#listen(window, "keydown", (event) => this.#key(event as KeyboardEvent));
    this.#stop.push(parts.live.follow(STATUS, () => this.#drawState()));
    this.#stop.push(parts.live.onChange(() => this.#drawState()));
    this.#stop.push(parts.feed.onTime(() => this.#drawState()));
    this.#arrive(this.#place);
  }

  close(): void {
    this.#unmount();
    for (const stop of this.#stop) stop();
  }

  #listen(target: EventTarget, name: string, listener: (event: Event) => void): void {
    target.addEventListener(name, listener);
    this.#stop.push(() => target.removeEventListener(name, listener));
  }

  /** Show `place`, with what it does not say filled in. */
  #arrive(place: Place): void {
    this.#turn += 1;
    void this.#complete(place, this.#turn);
  }

  async #complete(place: Place, turn: number): Promise<void> {
    const { views, catalog, feed } = this.#parts;
    const view = views.find(({ name }) => name === place.view) ?? views[0];
    if (view === undefined) return;
    let complete: Place;
    try {
      this.#products = await catalog.products();
      if (this.#products.length === 0) {
        catalog.forget();
        throw new Problem(0, "no_data", "no product has data yet: the feed may be starting");
      }
      complete = await this.#completed(view, place);
      this.#fault = "";
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#failed(error, place, turn);
      return;
    }
    if (turn !== this.#turn) return;
    const before = this.#place;
    this.#place = complete;
    feed.look(complete.asOf);
    this.#address(complete);
    this.#timeBar.show(complete.product ?? this.#products[0]?.product, catalog.market(complete.product).timezone);
    this.#drawHead(view);
    this.#show(view, before);
    this.#drawState();
  }

  async #completed(view: View, place: Place): Promise<Place> {
    const { catalog } = this.#parts;
    const named = { view: view.name, asOf: place.asOf, choices: place.choices };
    this.#expiries = [];
    if (view.scope === "platform") return { ...named, product: place.product };
    const known = this.#products.some(({ product }) => product === place.product);
    const product = known ? place.product : this.#products[0]?.product;
    if (view.scope === "product" || product === undefined) return { ...named, product };
    this.#expiries = await catalog.expiries(product);
    // One that is over stays if the address names it: its past is there to look at.
    return { ...named, product, expiry: (known ? place.expiry : undefined) ?? this.#expiries[0] };
  }

  #failed(error: unknown, place: Place, turn: number): void {
    if (error instanceof Problem && error.status === 401) return; // logged out: main shows the log-in
    this.#fault = error instanceof Problem ? error.message : "something went wrong";
    if (!(error instanceof Problem)) console.error(error);
    this.#drawState();
    setTimeout(() => turn === this.#turn && this.#arrive(place), TRY_AGAIN_MS);
  }

  #show(view: View, before: Place): void {
    const { product, expiry, choices } = this.#place;
    const same = view === this.#view && this.#mounted !== undefined;
    if (same && before.product === product && before.expiry === expiry && sameChoices(before.choices, choices)) return;
    this.#reveal();
    document.title = [view.title, product, expiry && day(expiry), "Option ARO"].filter(Boolean).join(" · ");
    if (same && this.#mounted?.update) {
      this.#leave();
      this.#mounted.update(this.#context());
      return;
    }
    this.#unmount();
    this.#view = view;
    // A fresh element for each view: whatever drew into the last one keeps its marks there.
    const main = document.createElement("main");
    main.id = this.#main.id;
    main.tabIndex = -1;
    main.dataset.view = view.name;
    this.#main.replaceWith(main);
    this.#main = main;
    this.#mounted = view.mount(this.#main, this.#context());
  }

  /** On a narrow screen the navigation goes on beside it; where one is has to be seen. */
  #reveal(): void {
    const current = this.#head.querySelectorAll("nav [aria-current=page], .expiries [aria-current=true]");
    for (const link of current) link.scrollIntoView({ block: "nearest", inline: "center" });
  }

  #unmount(): void {
    this.#leave();
    this.#mounted?.unmount();
    this.#mounted = undefined;
  }

  #leave(): void {
    this.#aborter.abort();
    this.#aborter = new AbortController();
    for (const leave of this.#leaving) leave();
    this.#leaving = [];
  }

  #context(): Context {
    const { api, live, feed, catalog } = this.#parts;
    const leaving = this.#leaving;
    return {
      place: this.#place,
      api,
      signal: this.#aborter.signal,
      asOf: () => feed.asOf,
      onTime: (listener) => leaving.push(feed.onTime(listener)),
      follow: (channel, show, options) => {
        const leave = feed.follow(channel, show, options);
        leaving.push(leave);
        return leave;
      },
      products: () => catalog.products(),
      expiries: (product) => catalog.expiries(product),
      market: (product) => catalog.market(product ?? this.#place.product),
      now: () => live.now(),
      go: (to) => this.#go(to),
    };
  }

  #go(to: Partial<Place>): void {
    location.hash = formatPlace(moved({ ...this.#place, asOf: this.#parts.feed.asOf }, to));
  }

  /** The address says what is shown, without another entry in the history. */
  #address(place: Place): void {
    this.#place = place;
    const hash = formatPlace(place);
    if (hash !== location.hash) history.replaceState(null, "", hash);
    if (this.#view !== undefined) this.#drawHead(this.#view);
  }

  readonly #skip = (event: Event): void => {
    event.preventDefault();
    this.#main.focus();
  };

  #key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select, textarea")) return;
    const { views } = this.#parts;
    const view = views[Number(event.key) - 1];
    const at = this.#expiries.indexOf(this.#place.expiry ?? "");
    const expiry = this.#expiries[at + (event.key === "[" ? -1 : 1)];
    if (view !== undefined) this.#go({ view: view.name });
    else if ((event.key === "[" || event.key === "]") && expiry !== undefined) this.#go({ expiry });
    else if (event.key === "l" || event.key === "L") this.#live();
  }

  #live(): void {
    this.#parts.feed.look(undefined);
    this.#address({ ...this.#place, asOf: undefined });
  }

  #drawHead(shown: View): void {
    const { views, session } = this.#parts;
    const { product, expiry } = this.#place;
    const to = (place: Partial<Place>) => formatPlace(moved(this.#place, place));
    render(
      html`<a class="brand" href=${to({ view: views[0]?.name ?? "" })}>Option ARO</a>
        <nav aria-label="Views">${views.map(
          (view) =>
            html`<a href=${to({ view: view.name })} aria-current=${view === shown ? "page" : "false"}>${view.title}</a>`,
        )}</nav>
        ${
          shown.scope === "platform"
            ? nothing
            : html`<select aria-label="Product" @change=${(event: Event) => this.#go({ product: chosen(event) })}>
                ${this.#products.map(
                  (each) => html`<option value=${each.product} .selected=${each.product === product}>${each.product}</option>`,
                )}
              </select>`
        }
        ${
          shown.scope === "expiry"
            ? html`<span class="expiries" role="group" aria-label="Expiry">${this.#listed().map(
                (each) =>
                  html`<a href=${to({ expiry: each })} aria-current=${each === expiry ? "true" : "false"}>${day(each)}</a>`,
              )}</span>`
            : nothing
        }
        <span class="state"><span class="badge"></span><span class="age num" data-term="age"></span></span>
        <button class="quiet" type="button" @click=${() => void session.logout().catch(() => this.#cannotLogOut())}>Log out</button>`,
      this.#head,
    );
    this.#drawState();
  }

  /** With the one that is shown, although it may be over. */
  #listed(): readonly string[] {
    const { expiry } = this.#place;
    return expiry === undefined || this.#expiries.includes(expiry) ? this.#expiries : [expiry, ...this.#expiries];
  }

  #cannotLogOut(): void {
    this.#fault = "logging out did not work, because the server does not answer";
    this.#drawState();
  }

  #drawState(): void {
    const { live, feed, catalog } = this.#parts;
    const { product } = this.#place;
    const reading = live.read<Status>(STATUS);
    const listed = reading.data?.products.find((each) => each.product === product);
    const age = newest(reading.data, product, live.now());
    const silent = listed?.state === "stale" || (age ?? 0) > SILENT_MS;
    const heard = reading.freshness === "live" && silent ? "stale" : reading.freshness;
    const freshness: Freshness = feed.asOf === undefined ? heard : "past";
    const badge = this.#head.querySelector(".badge");
    if (badge instanceof HTMLElement) {
      badge.textContent = BADGES[freshness];
      badge.dataset.freshness = freshness;
    }
    const old = this.#head.querySelector(".age");
    if (old) old.textContent = feed.asOf === undefined && age !== undefined ? duration(age) : "";
    const said =
      (this.#fault && `${this.#fault.charAt(0).toUpperCase()}${this.#fault.slice(1)}.`) ||
      live.refusal ||
      trouble(freshness, age) ||
      (feed.asOf === undefined ? "" : `You look at ${instant(feed.asOf, catalog.market(product).timezone)}. “Live” brings you back.`);
    this.#band.dataset.kind = this.#fault || live.refusal ? "fault" : freshness;
    if (this.#band.textContent !== said) this.#band.textContent = said;
    this.#timeBar.draw();
  }
}

/** Milliseconds since the newest of a product, or of any, was read. */
function newest(status: Status | undefined, product: string | undefined, now: number): number | undefined {
  const ages = status?.products.filter((each) => product === undefined || each.product === product).map(({ age_ms }) => age_ms);
  if (status === undefined || ages === undefined || ages.length === 0) return undefined;
  return Math.min(...ages) + (ageOf(status, now) ?? 0);
}

function chosen(event: Event): string {
  return (event.target as HTMLSelectElement).value;
}
