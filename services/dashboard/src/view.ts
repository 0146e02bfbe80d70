/**
 * What a view is. The frame around it (navigation, product and expiry, time, connection) is the shell's; a view draws
 * into the element that it gets, from states that it follows.
 */
import type { Api } from "./api";
import type { Market } from "./format";
import type { Product } from "./messages";
import type { Place } from "./router";

/** How good the newest state of a channel is. `past`: it is what was known at `as_of`, and will not change. */
export type Freshness = "loading" | "live" | "stale" | "reconnecting" | "resyncing" | "past" | "absent";

/**
 * A channel at this moment. The same for the live state and for the past: `data` is the whole state, as the socket and
 * REST both give it, and is never changed afterwards. `data` undefined: none has come (`loading`), or there is none
 * (`absent`, and `problem` says why in words).
 */
export interface Reading<State> {
  readonly channel: string;
  readonly data: State | undefined;
  readonly freshness: Freshness;
  /** Where in the channel's history it is. Undefined in the past. */
  readonly epoch?: string | undefined;
  readonly seq?: number | undefined;
  readonly problem?: string | undefined;
}

export interface FollowOptions {
  /** The most messages a second that are wanted. */
  readonly maxRateHz?: number;
}

export interface Context {
  /** With a product and an expiry, as far as the view's scope names them. */
  readonly place: Place;
  /** REST, with the session's token. Rejects with `Problem`. */
  readonly api: Api;
  /** Aborted when the view is unmounted: hand it to `api`. */
  readonly signal: AbortSignal;
  /** The instant that is looked at in UTC epoch milliseconds; undefined while live. `onTime` tells when it changes. */
  asOf(): number | undefined;
  onTime(listener: () => void): void;
  /**
   * Call `show` with every new reading of `channel` (`chain:NIFTY:2026-12-29`, as the socket names them), at most once a
   * frame, until the view is unmounted or the returned function is called. In the past, `show` gets the state of that
   * instant, and again whenever the instant is moved: a view need not know whether it shows the present.
   * `metrics:NIFTY:*` and other patterns are not followed: name the expiry.
   */
  follow<State>(channel: string, show: (reading: Reading<State>) => void, options?: FollowOptions): () => void;
  /** Products that have data. */
  products(): Promise<readonly Product[]>;
  /** Expiries of a product that are not over, nearest first. */
  expiries(product: string): Promise<readonly string[]>;
  /** How numbers of a product are written. */
  market(product?: string): Market;
  /** Milliseconds of the server's clock. */
  now(): number;
  /** Go elsewhere; what is not named stays. */
  go(to: Partial<Place>): void;
}

export interface Mounted {
  /**
   * The place has changed within this view (another product, expiry or choice): all follows have been left, and `context` is a
   * new one. Without `update`, the view is mounted anew.
   */
  update?(context: Context): void;
  unmount(): void;
}

export interface View {
  /** First part of its address: `#/chain/NIFTY/2026-12-29`. */
  readonly name: string;
  /** In the navigation. */
  readonly title: string;
  /** What its address names besides itself. */
  readonly scope: "platform" | "product" | "expiry";
  mount(element: HTMLElement, context: Context): Mounted;
}
