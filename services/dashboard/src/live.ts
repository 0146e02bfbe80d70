/** The socket: the official client, which follows, resumes and asks again, under a store of what it brings. */
import { io } from "socket.io-client";
import { OptionAro, Refused, type Notice, type Options, type Problem as NoticeProblem } from "option-aro-client";

import { Problem, type Tokens } from "./api";
import { Channels, kindOf } from "./channels";
import type { FollowOptions, Reading } from "./view";

/** How long a channel that nobody follows any more goes on: whoever comes back sees it at once. */
const LINGER_MS = 4_000;
/** Freshness changes without a message too. */
const LOOK_AGAIN_MS = 1_000;
/** After a refusal for good, for a reason that may pass: a socket that read too slowly, an account with too many. */
const COME_BACK_MS = 5_000;

type Show = (reading: Reading<unknown>) => void;

interface Followed {
  followers: Set<Show>;
  rate: number | undefined;
  leaving?: ReturnType<typeof setTimeout>;
}

export class Live {
  readonly channels = new Channels();
  /** What the gateway said when it refused for good; empty otherwise. */
  refusal = "";
  #client: OptionAro | undefined;
  #shownToken = "";
  readonly #url: string;
  readonly #tokens: Tokens;
  readonly #followed = new Map<string, Followed>();
  readonly #shown = new Map<Show, string>();
  readonly #changed = new Set<string>();
  readonly #listeners = new Set<() => void>();
  #frame = 0;

  constructor(url: string, tokens: Tokens) {
    this.#url = url;
    this.#tokens = tokens;
    setInterval(() => this.#lookAgain(), LOOK_AGAIN_MS);
  }

  /** Tells when the connection, and once a second when the age of things, may have changed. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Connect, with a session. */
  open(): void {
    this.close();
    this.refusal = "";
    this.channels.connection = "connecting";
    const onNotice = (name: Notice, payload: NoticeProblem) => this.#noticed(client, name, payload);
    const client = new OptionAro(io, { url: this.#url, token: () => this.#token(), onNotice });
    this.#client = client;
    for (const [channel, { rate }] of this.#followed) this.#subscribe(channel, rate);
    void client.start();
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
    this.channels.lost();
  }

  now(): number {
    return this.channels.serverTime(Date.now());
  }

  read<State>(channel: string): Reading<State> {
    return this.channels.reading<State>(channel, Date.now());
  }

  /** `show` gets the reading of now, at once if there is one, and every new one, at most once a frame. */
  follow(channel: string, show: Show, { maxRateHz }: FollowOptions = {}): () => void {
    let followed = this.#followed.get(channel);
    if (followed === undefined) {
      followed = { followers: new Set(), rate: maxRateHz };
      this.#followed.set(channel, followed);
      this.#subscribe(channel, maxRateHz);
    }
    clearTimeout(followed.leaving);
    followed.followers.add(show);
    this.#mark(channel);
    return () => this.#leave(channel, show);
  }

  #leave(channel: string, show: Show): void {
    const followed = this.#followed.get(channel);
    followed?.followers.delete(show);
    this.#shown.delete(show);
    if (followed === undefined || followed.followers.size > 0) return;
    followed.leaving = setTimeout(() => {
      this.#followed.delete(channel);
      this.#client?.unsubscribe([channel]);
      this.channels.forget(channel);
    }, LINGER_MS);
  }

  #subscribe(channel: string, rate: number | undefined): void {
    const options: Options = { delta: true, ...(rate === undefined ? {} : { max_rate_hz: rate }) };
    // A whole chain is 28 kB, which a remote reader waits for; the small ones are not worth the inflating.
    if (kindOf(channel) === "chain") options.encoding = "deflate";
    const take = (name: string, state: unknown, at: { epoch: string; seq: number }) => {
      this.channels.take(name, state, at.epoch, at.seq, Date.now());
      this.#mark(name);
    };
    this.#client?.subscribe([channel], take, options);
  }

  async #token(): Promise<string> {
    try {
      this.#shownToken = await this.#tokens.access();
      return this.#shownToken;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        throw new Refused({ code: error.code, detail: error.message });
      }
      throw error;
    }
  }

  #noticed(client: OptionAro, name: Notice, payload: NoticeProblem): void {
    if (client !== this.#client) return;
    const { channel } = payload;
    if (name === "connected") this.channels.connected();
    if (name === "disconnected") this.channels.lost();
    if (name === "refused") void this.#refused(client, payload);
    if ((name === "resync" || name === "hole") && channel !== undefined) this.channels.resync(channel);
    if (name === "rejected" && channel !== undefined) this.channels.reject(channel, payload.detail ?? "not available");
    this.#lookAgain();
  }

  /** Either the session has ended, which its owner finds out by asking for a token; or it is worth another try. */
  async #refused(client: OptionAro, { detail }: NoticeProblem): Promise<void> {
    this.refusal = detail ?? "the gateway has refused this connection";
    this.#tokens.refused(this.#shownToken);
    await new Promise((resolve) => setTimeout(resolve, COME_BACK_MS));
    const isGood = await this.#tokens.access().then(
      () => true,
      () => false,
    );
    if (isGood && client === this.#client) this.open();
  }

  #lookAgain(): void {
    for (const [channel, { followers }] of this.#followed) {
      const now = this.read(channel).freshness;
      for (const show of followers) if (this.#shown.get(show) !== now) this.#mark(channel);
    }
    for (const listener of this.#listeners) listener();
  }

  #mark(channel: string): void {
    this.#changed.add(channel);
    // A page that nobody sees draws nothing: frames stop, and the newest state waits.
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const due = [...this.#changed];
      this.#changed.clear();
      for (const name of due) this.#show(name);
    });
  }

  #show(channel: string): void {
    const reading = this.read(channel);
    for (const show of this.#followed.get(channel)?.followers ?? []) {
      this.#shown.set(show, reading.freshness);
      show(reading);
    }
  }
}
