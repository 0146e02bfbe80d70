import assert from "node:assert/strict";
import { test } from "node:test";

import { Api, Problem, type Query } from "../src/api";
import { Past, stored } from "../src/past";

class Stored extends Api {
  asked: string[] = [];
  problem: Problem | undefined;

  constructor() {
    super({ access: () => Promise.resolve("token"), refused: () => {} });
  }

  override get<Body>(path: string, query: Query = {}): Promise<Body> {
    this.asked.push(`${path} ${query.as_of}`);
    return this.problem ? Promise.reject(this.problem) : Promise.resolve({ spot: 1 } as Body);
  }
}

const never = new AbortController().signal;

test("every channel whose states are kept has its place in REST", () => {
  assert.deepEqual(stored("chain:NIFTY:2026-12-29"), { path: "/chains/NIFTY", query: { expiry: "2026-12-29" } });
  assert.deepEqual(stored("metrics:SPY:2026-12-18"), { path: "/chains/SPY/metrics", query: { expiry: "2026-12-18" } });
  assert.deepEqual(stored("ticks:SPY"), { path: "/ticks/SPY", query: {} });
  assert.deepEqual(stored("surface:SPY"), { path: "/analytics/SPY/surface", query: {} });
  assert.equal(stored("status"), undefined);
});

test("a state of the past is asked for once", async () => {
  const api = new Stored();
  const past = new Past(api);
  for (const at of [1_000, 1_000, 2_000]) assert.equal((await past.read("ticks:SPY", at, never)).freshness, "past");
  assert.deepEqual(api.asked, ["/ticks/SPY 1000", "/ticks/SPY 2000"]);
});

test("what is not stored is absent, and asked for again the next time", async () => {
  const api = new Stored();
  const past = new Past(api);
  api.problem = new Problem(404, "not_found", "no tick");
  const { freshness, problem } = await past.read("ticks:SPY", 1_000, never);
  assert.deepEqual([freshness, problem], ["absent", "nothing is stored of that time"]);
  api.problem = undefined;
  assert.equal((await past.read("ticks:SPY", 1_000, never)).freshness, "past");
  api.problem = new Problem(401, "logged_out", "nobody is logged in");
  await assert.rejects(past.read("ticks:SPY", 3_000, never), Problem);
});
