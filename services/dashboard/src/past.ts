/** The instant that all views look at, and what was known then. */
import { type Api, Problem, type Query } from "./api";
import type { Reading } from "./view";

/** Where REST has the state of a channel at an instant. */
export function stored(channel: string): { path: string; query: Query } | undefined {
  const [kind, product, expiry] = channel.split(":");
  switch (kind) {
    case "chain":
      return { path: `/chains/${product}`, query: { expiry } };
    case "metrics":
      return { path: `/chains/${product}/metrics`, query: { expiry } };
    case "ticks":
      return { path: `/ticks/${product}`, query: {} };
    case "surface":
      return { path: `/analytics/${product}/surface`, query: {} };
    default:
      return undefined; // of bars and of the platform's status nothing is kept in this form
  }
}

const KEPT = 300;
const AT_ONCE = 6;

/** Reads states of the past, a few at a time; each one once, for they do not change. */
export class Past {
  readonly #api: Api;
  readonly #kept = new Map<string, Reading<unknown>>();
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(api: Api) {
    this.#api = api;
  }

  async read(channel: string, asOf: number, signal: AbortSignal): Promise<Reading<unknown>> {
    const key = `${channel}@${asOf}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const place = stored(channel);
    if (place === undefined) return { channel, data: undefined, freshness: "absent", problem: "not kept" };
    const reading = await this.#inTurn(() => this.#ask(channel, place.path, { ...place.query, as_of: asOf }, signal));
    if (reading.freshness === "past") this.#keep(key, reading);
    return reading;
  }

  async #ask(channel: string, path: string, query: Query, signal: AbortSignal): Promise<Reading<unknown>> {
    try {
      const data = await this.#api.get<unknown>(path, query, { signal });
      return { channel, data, freshness: "past" };
    } catch (error) {
      if (!(error instanceof Problem) || error.status === 401) throw error;
      const problem = error.status === 404 ? "nothing is stored of that time" : error.message;
      return { channel, data: undefined, freshness: "absent", problem };
    }
  }

  async #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#running >= AT_ONCE) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#queue.shift()?.();
    }
  }

  #keep(key: string, reading: Reading<unknown>): void {
    this.#kept.set(key, reading);
    const oldest = this.#kept.keys().next().value;
    if (this.#kept.size > KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}
