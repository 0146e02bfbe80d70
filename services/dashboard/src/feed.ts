/** Present and past behind one door: what a view follows, whatever instant is looked at. */
import { Problem } from "./api";
import type { Live } from "./live";
import type { Past } from "./past";
import type { FollowOptions, Reading } from "./view";

type Show<State> = (reading: Reading<State>) => void;

export class Feed {
  readonly #live: Live;
  readonly #past: Past;
  #asOf: number | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(live: Live, past: Past) {
    this.#live = live;
    this.#past = past;
  }

  get asOf(): number | undefined {
    return this.#asOf;
  }

  /** undefined: back to the present. */
  look(asOf: number | undefined): void {
    if (asOf === this.#asOf) return;
    this.#asOf = asOf;
    for (const listener of this.#listeners) listener();
  }

  onTime(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  follow<State>(channel: string, show: Show<State>, options: FollowOptions = {}): () => void {
    const aborter = new AbortController();
    let leave: (() => void) | undefined;
    let busy = false;
    const past = async () => {
      // However fast the instant moves, one question at a time; the newest instant is asked for next.
      if (busy) return;
      busy = true;
      for (let at = this.#asOf, seen = Number.NaN; at !== undefined && at !== seen; at = this.#asOf) {
        seen = at;
        const reading = await this.#read<State>(channel, at, aborter.signal);
        if (reading !== undefined && this.#asOf !== undefined && !aborter.signal.aborted) show(reading);
      }
      busy = false;
    };
    const turn = () => {
      if (this.#asOf === undefined) {
        leave ??= this.#live.follow(channel, show as Show<unknown>, options);
      } else {
        leave?.();
        leave = undefined;
        void past();
      }
    };
    const stop = this.onTime(turn);
    turn();
    return () => {
      stop();
      leave?.();
      aborter.abort();
    };
  }

  async #read<State>(channel: string, at: number, signal: AbortSignal): Promise<Reading<State> | undefined> {
    try {
      return (await this.#past.read(channel, at, signal)) as Reading<State>;
    } catch (error) {
      // Left in the meantime, or logged out: the page says so itself.
      if (signal.aborted || error instanceof Problem) return undefined;
      throw error;
    }
  }
}
