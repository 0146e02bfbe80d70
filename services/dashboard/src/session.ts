/**
 * The log-in of this page. Why tokens are kept as they are: .github/decisions/0023-the-page-and-its-session.md.
 *
 * The access token (15 minutes) is in memory only. The refresh token is in localStorage, so that all tabs share one
 * session; it is good once, and of several tabs one refreshes at a time.
 */
import { ask, Problem, type Tokens } from "./api";

const KEY = "option-aro.refresh-token";
const LOCK = "option-aro.refresh";
const CODE = /[#&]code=([^&]+)/;
const MARGIN_MS = 60_000;
/** Of an access token that is not the server's first choice any more: enough for the requests that hold it. */
const PAUSE_MS = 1_000;

interface TokenPair {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

/** `out`: `reason` says why in words, empty if nobody was logged in. `restoring`: not known yet. */
export type SessionState = "restoring" | "in" | "out";

export class Session implements Tokens {
  state: SessionState = "restoring";
  reason = "";
  #token: { text: string; until: number } | undefined;
  #refreshing: Promise<string> | undefined;
  readonly #listeners = new Set<() => void>();

  constructor() {
    addEventListener("storage", (event) => {
      if (event.key === KEY) this.#changedElsewhere(event.newValue);
    });
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Take up the session of this browser, or the one that a link hands over. Rejects only if nobody answers. */
  async begin(): Promise<void> {
    const code = CODE.exec(location.hash)?.[1];
    if (code !== undefined) {
      // Out of the address before anything else, so that it is in no history and no copied link.
      history.replaceState(null, "", location.hash.replace(CODE, "").replace(/^$/, "#/"));
      if (localStorage.getItem(KEY) === null) localStorage.setItem(KEY, decodeURIComponent(code));
    }
    if (localStorage.getItem(KEY) === null) {
      this.#end("");
      return;
    }
    try {
      await this.access();
    } catch (error) {
      if (this.state !== "out") throw error;
      if (code !== undefined) this.reason = "This link was used before, or is too old. Log in, or make a new one.";
    }
  }

  async login(email: string, password: string): Promise<void> {
    const { body } = await post("login", { email, password });
    this.#take(body);
  }

  /** End the session everywhere: its tokens are refused and its sockets closed. */
  async logout(): Promise<void> {
    const token = await this.access();
    await ask("/api/v1/auth/logout", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    localStorage.removeItem(KEY);
    this.#end("");
  }

  async access(): Promise<string> {
    if (this.#token !== undefined && this.#token.until > Date.now()) return this.#token.text;
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  refused(token: string): void {
    if (this.#token?.text === token) this.#token = undefined;
  }

  async #refresh(): Promise<string> {
    return alone(async () => {
      const stored = localStorage.getItem(KEY);
      if (stored === null) throw this.#end(this.state === "in" ? "You have logged out in another tab." : "");
      try {
        const { body } = await post("refresh", { refresh_token: stored });
        return this.#take(body);
      } catch (error) {
        if (error instanceof Problem && error.status === 429) await pause((error.retryAfter ?? 1) * PAUSE_MS);
        if (!(error instanceof Problem && (error.status === 401 || error.status === 422))) throw error;
        if (localStorage.getItem(KEY) === stored) localStorage.removeItem(KEY);
        throw this.#end("Your session has ended. Log in to go on where you were.");
      }
    });
  }

  #take(pair: TokenPair): string {
    localStorage.setItem(KEY, pair.refresh_token);
    const lifetime = pair.expires_in * 1_000;
    this.#token = { text: pair.access_token, until: Date.now() + Math.max(lifetime - MARGIN_MS, lifetime / 2) };
    this.#become("in", "");
    return pair.access_token;
  }

  #end(reason: string): Problem {
    this.#token = undefined;
    this.#become("out", reason);
    return new Problem(401, "logged_out", reason || "nobody is logged in");
  }

  #changedElsewhere(value: string | null): void {
    if (value === null && this.state === "in") this.#end("You have logged out in another tab.");
    else if (value !== null && this.state === "out") void this.access().catch(() => {});
  }

  #become(state: SessionState, reason: string): void {
    if (state === this.state && reason === this.reason) return;
    this.state = state;
    this.reason = reason;
    for (const listener of this.#listeners) listener();
  }
}

/** Of all tabs, one at a time; where the browser has no locks (a page without TLS), auth's ten seconds of grace do. */
function alone<Result>(work: () => Promise<Result>): Promise<Result> {
  return navigator.locks === undefined ? work() : navigator.locks.request(LOCK, work);
}

function post(path: "login" | "refresh", body: Record<string, string>): Promise<{ body: TokenPair }> {
  const headers = { "Content-Type": "application/json" };
  return ask<TokenPair>(`/api/v1/auth/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
