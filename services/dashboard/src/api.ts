/** REST of the same origin, with the session's token. Errors are the platform's problem+json. */

/** What an answer that is none says. `status` 0: nobody answered. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  /** Seconds after which it is worth trying again. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, detail: string, retryAfter?: number) {
    super(detail);
    this.name = "Problem";
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

export interface Answer<Body> {
  readonly body: Body;
  readonly headers: Headers;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Tokens {
  /** An access token that is good for a while. Rejects with `Problem` (401) if there is no session. */
  access(): Promise<string>;
  /** The server does not take `token`: the next `access` brings another one. */
  refused(token: string): void;
}

const ANSWER_MS = 12_000;
const TRIES = 2;

export class Api {
  readonly #tokens: Tokens;
  readonly #base: string;

  constructor(tokens: Tokens, base = "/api/v1") {
    this.#tokens = tokens;
    this.#base = base;
  }

  /** GET as JSON, or as text for another `accept`. */
  async get<Body>(path: string, query: Query = {}, options: { signal?: AbortSignal; accept?: string } = {}): Promise<Body> {
    return (await this.answer<Body>(path, query, options)).body;
  }

  async answer<Body>(
    path: string,
    query: Query = {},
    { signal, accept = "application/json" }: { signal?: AbortSignal; accept?: string } = {},
  ): Promise<Answer<Body>> {
    for (let attempt = 1; ; attempt += 1) {
      const token = await this.#tokens.access();
      const headers = { Accept: accept, Authorization: `Bearer ${token}` };
      try {
        return await ask<Body>(`${this.#base}${path}${search(query)}`, { headers, ...(signal ? { signal } : {}) });
      } catch (error) {
        if (!(error instanceof Problem && error.status === 401 && attempt < TRIES)) throw error;
        this.#tokens.refused(token);
      }
    }
  }

  async send(method: "POST" | "DELETE", path: string, body?: unknown): Promise<void> {
    const headers: Record<string, string> = { Authorization: `Bearer ${await this.#tokens.access()}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    await ask(`${this.#base}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  }
}

/** Resolves to the answer's body; rejects with `Problem`, or with an AbortError if `signal` was aborted. */
export async function ask<Body>(url: string, init: RequestInit): Promise<Answer<Body>> {
  const limit = AbortSignal.timeout(ANSWER_MS);
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { cache: "no-cache", credentials: "omit", ...init, signal });
    text = await response.text();
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "the server does not answer");
  }
  const body = parsed(text, response.headers.get("Content-Type") ?? "");
  if (!response.ok) throw problem(response, body);
  return { body: body as Body, headers: response.headers };
}

function parsed(text: string, contentType: string): unknown {
  if (!contentType.includes("json")) return text;
  try {
    return text === "" ? undefined : JSON.parse(text);
  } catch {
    throw new Problem(0, "unreadable", "the server's answer cannot be read");
  }
}

function problem(response: Response, body: unknown): Problem {
  const { code, detail, title } = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const wait = Number(response.headers.get("Retry-After") ?? Number.NaN);
  const words = [detail, title, `HTTP ${response.status}`].find((word) => typeof word === "string") as string;
  const name = typeof code === "string" ? code : "unknown";
  return new Problem(response.status, name, words, Number.isFinite(wait) ? wait : undefined);
}

function search(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text === "" ? "" : `?${text}`;
}
