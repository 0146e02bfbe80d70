/*
 * Option ARO's live channels in JavaScript: one file to copy, for Node.js 18 and browsers, on socket.io-client 4.
 *
 *   import { io } from "socket.io-client"; // or its dist/socket.io.esm.min.js in a page without a bundler
 *   import { OptionAro, login } from "./option-aro-client.mjs";
 *
 *   const token = login("http://127.0.0.1:8000", "me@example.com", "my password");
 *   const client = new OptionAro(io, { url: "http://127.0.0.1:8010", token });
 *   client.subscribe(["ticks:NIFTY"], (channel, state, info) => console.log(channel, info.seq, state.source_time));
 *   client.subscribe(["chain:NIFTY:*"], show, { delta: true, encoding: "deflate", max_rate_hz: 2 });
 *   client.start(); // … client.close()
 *
 * `state` is always the channel's whole state, whatever came over the wire, and is never changed afterwards. `info` has
 * `event` (snapshot, update or delta), `epoch`, `seq` and `skipped`: how many states lie between the one before and
 * this one; null where that cannot be said.
 *
 * The client connects again after every loss, at the time that a gateway asks for when it shuts down, and resumes where
 * it was; brings a new token in time; takes nothing twice or backwards; and asks again wherever a message is missing.
 * `onNotice(name, payload)` tells what else happens: connected, resumed, disconnected, rejected, hole, resync, draining,
 * error, and refused, after which it does not try again.
 */

const STATES = ["snapshot", "update", "delta"];
const MAX_ENTRIES = 60; // of one request; the gateway limits both their number and the size of a message
const FIRST_PAUSE = 0.5; // seconds before connecting again; doubled each time, with jitter
const LONGEST_PAUSE = 5;
const ASK_AGAIN_SECONDS = 10; // for channels that are rejected because they are not there yet
const BAD_TOKEN = ["token_expired", "token_invalid", "token_missing"]; // a new one may help
const NOT_NOW = ["service_unavailable", "slow", "too_many_sockets", "rate_limited"];
const NOT_YET = ["service_unavailable", "unknown_expiry"];

/** A source of access tokens: logs in at each call, and the client calls only when it needs a new one. */
export function login(url, email, password) {
  return async () => {
    const answer = await fetch(`${url}/api/v1/auth/login`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ email, password }),
    });
    const body = await answer.json();
    if (answer.status === 401 || answer.status === 403) throw new Refused(body);
    if (!answer.ok) throw new Error(body.detail ?? `HTTP ${answer.status}`);
    return body.access_token;
  };
}

/** The gateway or a source of tokens does not want this client, and trying again would not help. */
export class Refused extends Error {
  constructor({ code, detail }) {
    super(detail);
    this.code = code;
  }
}

/**
 * The state after `patch`, sharing with `state` what did not change; throws if it belongs to another one.
 * Of an object: `put` sets members, `cut` removes them, `in` patches them. Of an array: the elements `at` these indices
 * become those of `to`.
 */
export function applyPatch(state, patch) {
  const known = Array.isArray(state) ? ["at", "to"] : ["put", "cut", "in"];
  const fits = state !== null && typeof state === "object" && Object.keys(patch).every((name) => known.includes(name));
  if (!fits) throw new Error("this patch is for another kind of value");
  if (Array.isArray(state)) return patchArray(state, patch.at, patch.to);
  const members = new Map(Object.entries(state)); // not an object: "__proto__" is a name like any other
  for (const key of patch.cut ?? []) if (!members.delete(key)) throw new Error(`there is no ${key}`);
  for (const [key, inner] of Object.entries(patch.in ?? {})) members.set(key, applyPatch(members.get(key), inner));
  for (const [key, value] of Object.entries(patch.put ?? {})) members.set(key, value);
  return Object.fromEntries(members);
}

function patchArray(state, at, to) {
  if (at.length !== to.length) throw new Error("as many places as values");
  const changed = state.slice();
  at.forEach((place, turn) => {
    if (!(Number.isInteger(place) && place >= 0 && place < state.length)) throw new Error(`there is no element ${place}`);
    changed[place] = to[turn];
  });
  return changed;
}

export class OptionAro {
  #subscriptions = [];
  #owners = new Map(); // channel -> subscription
  #held = new Map(); // channel -> {epoch, seq, state}
  #awaited = new Set(); // channels whose next snapshot is taken, whatever it is
  #turn = Promise.resolve(); // what comes is handled in order, although inflating takes a while
  #closed = false;
  #attempt = 0;

  /** `io` is socket.io-client's; `token` an access token, or a function that fetches one. */
  constructor(io, { url, token, onNotice = () => {} }) {
    this.io = io;
    this.url = url;
    this.source = typeof token === "function" ? token : () => token;
    this.onNotice = onNotice;
  }

  /** Before or after the start. `options`: delta, encoding, max_rate_hz, as the gateway knows them. */
  subscribe(channels, onState, options = {}) {
    if (options.encoding && !globalThis.DecompressionStream) throw new Error("this browser or Node.js is too old to inflate");
    const subscription = { names: [...channels], onState, options };
    this.#subscriptions.push(subscription);
    if (this.socket?.connected) this.#request(subscription, channels);
  }

  /** Channels and patterns as they were subscribed to. */
  unsubscribe(channels) {
    for (const subscription of this.#subscriptions) {
      subscription.names = subscription.names.filter((name) => !channels.includes(name));
    }
    for (const channel of [...this.#owners.keys()]) {
      if (!channels.some((name) => standsFor(name, channel))) continue;
      this.#owners.delete(channel);
      this.#held.delete(channel);
    }
    if (this.socket?.connected) this.socket.emit("unsubscribe", { channels });
  }

  /** The newest state that came; undefined before the first. */
  state(channel) {
    return this.#held.get(channel)?.state;
  }

  /** Follow until `close`; resolves then, or when the gateway has refused for good. */
  async start() {
    while (!this.#closed) {
      const fresh = this.token === undefined;
      let refusal;
      try {
        this.token ??= await this.source();
      } catch (error) {
        if (error instanceof Refused) refusal = { code: error.code, detail: error.message };
        else this.onNotice("error", { code: "no_token", detail: error.message });
      }
      if (this.token !== undefined && !this.#closed) {
        refusal = this.#refusal(await this.#connection(), fresh && !this.admitted);
      }
      if (refusal) return this.onNotice("refused", refusal);
      if (!this.#closed) await this.#pause();
    }
  }

  close() {
    this.#closed = true;
    this.socket?.disconnect();
    this.wake?.();
  }

  /** One connection, to its end. Resolves to what the gateway had against it: {} if it was only lost. */
  #connection() {
    return new Promise((resolve) => {
      const options = { forceNew: true, reconnection: false, transports: ["websocket"], timeout: 10_000 };
      const socket = this.io(`${this.url}/v1`, { ...options, auth: { token: this.token } });
      this.socket = socket;
      this.admitted = false;
      let problem = {};
      const end = (reason, against) => {
        this.onNotice("disconnected", { reason, ...against });
        socket.disconnect();
        resolve(against);
      };
      socket.on("connect", () => this.#resume());
      socket.on("connect_error", (error) => end(error.message, error.data ?? {}));
      socket.on("disconnect", (reason) => {
        // From "io server disconnect" official clients do not come back by themselves: the gateway has said why.
        end(reason, reason === "io server disconnect" ? { code: "closed", ...problem } : {});
      });
      socket.on("auth_expiring", () => this.#renew(socket));
      socket.on("error", (payload) => (problem = payload));
      for (const name of [...STATES, "heartbeat", "resync", "draining", "error"]) {
        socket.on(name, (payload) => {
          this.#turn = this.#turn.then(() => this.#receive(name, payload)).catch((error) => console.error(error));
        });
      }
    });
  }

  /** What ends this client; undefined if trying again may help, with a new token where the old one was not good. */
  #refusal(problem, fresh) {
    const { code } = problem;
    if (code === undefined || NOT_NOW.includes(code) || this.#closed) return undefined;
    if (!BAD_TOKEN.includes(code) || fresh) return problem;
    this.token = undefined;
    this.retryAfter = 0;
    return undefined;
  }

  #pause() {
    const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** this.#attempt);
    const jittered = longest * (0.5 + Math.random() / 2); // thousands lose a gateway at once
    if (this.retryAfter === undefined) this.#attempt += 1;
    const seconds = this.retryAfter ?? jittered;
    this.retryAfter = undefined;
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, seconds * 1_000);
    });
  }

  #resume() {
    this.admitted = true;
    this.#attempt = 0;
    this.#awaited.clear();
    this.onNotice("connected", { channels: this.#owners.size });
    for (const subscription of this.#subscriptions) {
      // By name, too: a pattern could stand for others by now.
      const followed = [...this.#owners.keys()].filter((channel) => this.#owners.get(channel) === subscription);
      this.#request(subscription, [...followed, ...subscription.names]);
    }
  }

  #request(subscription, channels, { resume = true } = {}) {
    const { socket } = this;
    const names = [...new Set(channels)];
    for (let first = 0; first < names.length; first += MAX_ENTRIES) {
      const part = names.slice(first, first + MAX_ENTRIES);
      const known = resume ? part.filter((name) => this.#held.has(name)) : [];
      const positions = known.map((name) => [name, { epoch: this.#held.get(name).epoch, seq: this.#held.get(name).seq }]);
      const request = { channels: part, ...subscription.options, resume: Object.fromEntries(positions) };
      socket.emit("subscribe", request, (answer) => this.#answered(socket, subscription, answer));
    }
  }

  #answered(socket, subscription, answer) {
    if (answer.error) return this.onNotice("error", answer.error);
    for (const { channel } of answer.ok) this.#owners.set(channel, subscription);
    const resumed = answer.ok.filter(({ recovered }) => recovered !== undefined);
    const recovered = resumed.filter((entry) => entry.recovered).length;
    if (resumed.length) this.onNotice("resumed", { channels: resumed.length, recovered });
    for (const entry of answer.rejected) {
      this.#awaited.delete(entry.channel);
      this.onNotice("rejected", entry);
    }
    const later = answer.rejected.filter(({ code }) => NOT_YET.includes(code)).map(({ channel }) => channel);
    if (!later.length) return undefined;
    const ask = () => socket === this.socket && socket.connected && this.#request(subscription, later);
    return setTimeout(ask, ASK_AGAIN_SECONDS * 1_000).unref?.();
  }

  /** The state that is held is not good any more: ask for the present one. */
  #askAgain(channel, why) {
    this.onNotice("hole", { channel, why });
    this.#awaited.add(channel);
    if (this.socket.connected) this.#request(this.#owners.get(channel), [channel], { resume: false });
  }

  async #receive(name, payload) {
    if (STATES.includes(name)) return this.#take(name, payload);
    if (name === "heartbeat") return this.#compare(payload.channels);
    if (name === "resync") this.#awaited.add(payload.channel);
    if (name === "draining") this.retryAfter = payload.retry_after;
    return this.onNotice(name, payload);
  }

  async #take(event, { channel, epoch, seq, prev_seq: previous, data }) {
    const held = this.#held.get(channel);
    const same = held?.epoch === epoch;
    if (!this.#owners.has(channel)) return; // left in the meantime
    if (this.#awaited.has(channel)) {
      if (event !== "snapshot") return;
      this.#awaited.delete(channel);
    } else if (same && seq <= held.seq) return;
    let state;
    try {
      if (event !== "snapshot" && !(same && seq === held.seq + 1)) throw new Error(`${seq} does not follow ${held?.seq}`);
      state = isBinary(data) ? await inflate(data) : data;
      if (event === "delta") {
        if (previous !== held.seq) throw new Error(`delta from ${previous}`);
        state = applyPatch(held.state, state);
      }
    } catch (error) {
      if (event !== "snapshot") return this.#askAgain(channel, error.message);
      this.#awaited.add(channel); // the same would come again
      return this.onNotice("error", { code: "unreadable", detail: `${channel}: ${error.message}` });
    }
    this.#held.set(channel, { epoch, seq, state });
    const skipped = same ? seq - held.seq - 1 : null;
    this.#owners.get(channel)?.onState(channel, state, { event, epoch, seq, skipped });
  }

  /** A heartbeat is sent after everything up to these positions: who has less has lost something. */
  #compare(positions) {
    for (const [channel, seq] of Object.entries(positions)) {
      const held = this.#held.get(channel);
      if (held && seq > held.seq && !this.#awaited.has(channel)) {
        this.#askAgain(channel, `nothing came after ${held.seq}, and the gateway has sent ${seq}`);
      }
    }
  }

  /** Bring a new token on the living connection. */
  async #renew(socket) {
    try {
      this.token = await this.source();
      socket.emit("auth", { token: this.token }, (answer) => answer.error && this.onNotice("error", answer.error));
    } catch (error) {
      this.onNotice("error", { code: "no_token", detail: error.message }); // closed when the old one has expired
    }
  }
}

function isBinary(data) {
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data);
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).json();
}

function standsFor(name, channel) {
  return name === channel || (name.endsWith(":*") && channel.startsWith(name.slice(0, -1)));
}
