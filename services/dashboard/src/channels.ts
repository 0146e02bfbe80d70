/** The newest state of every channel, and how good it is. Pure: no socket, no clock. */
import type { Freshness, Reading } from "./view";

/** Silence, in milliseconds, after which the state of a kind of channel is called stale. */
const STALE_AFTER: Readonly<Record<string, number>> = {
  ticks: 5_000,
  metrics: 5_000,
  chain: 5_000,
  status: 10_000,
  surface: 45_000,
  bars: 60_000,
};

interface Held {
  data: Timed | undefined;
  epoch: string | undefined;
  seq: number | undefined;
  resyncing: boolean;
  problem: string | undefined;
}

/** All states say when their source was read; the platform's own status says when it was written. */
interface Timed {
  source_ts?: number;
  server_ts?: number;
  computed_ts?: number;
}

/** `absent`: the gateway knows no such channel. */
export type Connection = "connecting" | "connected" | "lost";

export class Channels {
  connection: Connection = "connecting";
  readonly #held = new Map<string, Held>();
  /** The server's clock minus ours, in milliseconds: no message comes before it was written. */
  #ahead: number | undefined;

  take(channel: string, data: unknown, epoch: string, seq: number, receivedAt: number): void {
    const state = data as Timed;
    const written = state.server_ts ?? state.computed_ts;
    if (written !== undefined) this.#ahead = Math.max(this.#ahead ?? Number.NEGATIVE_INFINITY, written - receivedAt);
    this.#held.set(channel, { data: state, epoch, seq, resyncing: false, problem: undefined });
  }

  resync(channel: string): void {
    const held = this.#held.get(channel);
    if (held) held.resyncing = true;
  }

  reject(channel: string, problem: string): void {
    const held = this.#held.get(channel);
    this.#held.set(channel, { ...(held ?? NOTHING), data: undefined, problem });
  }

  connected(): void {
    this.connection = "connected";
  }

  lost(): void {
    this.connection = "lost";
    this.#ahead = undefined; // a machine that slept has another difference
  }

  forget(channel: string): void {
    this.#held.delete(channel);
  }

  /** Milliseconds of the server's clock when ours says `now`. */
  serverTime(now: number): number {
    return now + (this.#ahead ?? 0);
  }

  reading<State>(channel: string, now: number): Reading<State> {
    const held = this.#held.get(channel) ?? NOTHING;
    const freshness = this.#freshness(channel, held, now);
    const { epoch, seq, problem } = held;
    return { channel, data: held.data as State | undefined, freshness, epoch, seq, problem };
  }

  #freshness(channel: string, held: Held, now: number): Freshness {
    if (this.connection === "lost") return "reconnecting";
    if (held.problem !== undefined) return "absent";
    if (held.data === undefined) return "loading";
    if (this.connection === "connecting") return "reconnecting";
    if (held.resyncing) return "resyncing";
    const age = ageOf(held.data, this.serverTime(now));
    return age !== undefined && age > (STALE_AFTER[kindOf(channel)] ?? 10_000) ? "stale" : "live";
  }
}

const NOTHING: Held = { data: undefined, epoch: undefined, seq: undefined, resyncing: false, problem: undefined };

/** Milliseconds since the source was read; undefined for a state that does not say. */
export function ageOf(data: unknown, serverNow: number): number | undefined {
  const { source_ts: source, server_ts: written } = (data ?? {}) as Timed;
  const at = source ?? written;
  return at === undefined ? undefined : Math.max(0, serverNow - at);
}

export function kindOf(channel: string): string {
  return channel.split(":", 1)[0] ?? "";
}
