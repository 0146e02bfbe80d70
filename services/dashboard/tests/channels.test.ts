import assert from "node:assert/strict";
import { test } from "node:test";

import { ageOf, Channels } from "../src/channels";

const CHAIN = "chain:NIFTY:2026-12-29";
const AT = 1_796_023_585_870;

function connected(): Channels {
  const channels = new Channels();
  channels.connected();
  channels.take(CHAIN, { source_ts: AT, computed_ts: AT + 30 }, "e1", 7, AT + 40);
  return channels;
}

test("a channel is loading until its first state, and then has a position", () => {
  const channels = new Channels();
  assert.equal(channels.reading(CHAIN, AT).freshness, "loading");
  const { freshness, epoch, seq, data } = connected().reading(CHAIN, AT + 100);
  assert.deepEqual([freshness, epoch, seq, (data as { source_ts: number }).source_ts], ["live", "e1", 7, AT]);
});

test("silence makes it stale, and the next state live again", () => {
  const channels = connected();
  assert.equal(channels.reading(CHAIN, AT + 4_900).freshness, "live");
  assert.equal(channels.reading(CHAIN, AT + 6_000).freshness, "stale");
  channels.take(CHAIN, { source_ts: AT + 6_000, computed_ts: AT + 6_030 }, "e1", 8, AT + 6_040);
  assert.equal(channels.reading(CHAIN, AT + 6_100).freshness, "live");
});

test("a lost connection and missed messages are told apart, and keep the numbers", () => {
  const channels = connected();
  channels.resync(CHAIN);
  assert.equal(channels.reading(CHAIN, AT + 100).freshness, "resyncing");
  channels.lost();
  const { freshness, seq } = channels.reading(CHAIN, AT + 100);
  assert.deepEqual([freshness, seq], ["reconnecting", 7]);
  channels.connected();
  channels.take(CHAIN, { source_ts: AT + 900, computed_ts: AT + 930 }, "e2", 1, AT + 940);
  const again = channels.reading(CHAIN, AT + 1_000);
  assert.deepEqual([again.freshness, again.epoch, again.seq], ["live", "e2", 1]);
});

test("a channel that the gateway rejects is absent, with its words", () => {
  const channels = connected();
  channels.reject(CHAIN, "this expiry is over");
  const { freshness, problem, data } = channels.reading(CHAIN, AT);
  assert.deepEqual([freshness, problem, data], ["absent", "this expiry is over", undefined]);
});

test("ages are by the server's clock, whatever ours says", () => {
  const channels = new Channels();
  channels.connected();
  const wrong = AT - 3_600_000; // an hour behind
  channels.take("status", { server_ts: AT }, "e1", 1, wrong);
  channels.take("status", { server_ts: AT + 1_000 }, "e1", 2, wrong + 1_250); // this one was slow
  assert.equal(channels.serverTime(wrong + 2_000), AT + 2_000);
  assert.equal(channels.reading("status", wrong + 3_000).freshness, "live");
  assert.equal(ageOf({ source_ts: AT }, AT + 250), 250);
  assert.equal(ageOf({ source_ts: AT }, AT - 250), 0);
  assert.equal(ageOf(undefined, AT), undefined);
});
