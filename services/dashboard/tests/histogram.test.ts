import assert from "node:assert/strict";
import { test } from "node:test";

import { bars, milliseconds, place, quantileOf, tick } from "../src/histogram";

const BOUNDS = [10, 20, 40];

test("bars have their share of the largest and say what they are", () => {
  const shown = bars({ bounds_ms: BOUNDS, counts: [2, 4, 0, 1] }, 2);
  assert.deepEqual(shown.map(({ share }) => share), [0.5, 1, 0, 0.25]);
  assert.deepEqual(shown.map(({ words }) => words), ["up to 10 ms", "10 ms to 20 ms", "20 ms to 40 ms", "above 40 ms"]);
});

test("empty buckets at the end are left out, down to a few", () => {
  assert.equal(bars({ bounds_ms: BOUNDS, counts: [2, 0, 0, 0] }, 2).length, 2);
  assert.equal(bars({ bounds_ms: BOUNDS, counts: [2, 0, 0, 0] }, 3).length, 3);
  assert.equal(bars({ bounds_ms: [], counts: [] }).length, 0);
});

test("an instant lies within its bucket", () => {
  assert.equal(place(0, BOUNDS), 0);
  assert.equal(place(5, BOUNDS), 0.5);
  assert.equal(place(20, BOUNDS), 2);
  assert.equal(place(30, BOUNDS), 2.5);
  assert.equal(place(400, BOUNDS), 3);
});

test("milliseconds have three digits at most, and nothing is no number", () => {
  assert.equal(milliseconds(0.417), "0.42 ms");
  assert.equal(milliseconds(4.17), "4.2 ms");
  assert.equal(milliseconds(41.7), "42 ms");
  assert.equal(milliseconds(999.4), "999 ms");
  assert.equal(milliseconds(4_170), "4.2 s");
  assert.equal(milliseconds(41_700), "42 s");
  assert.equal(milliseconds(null), "–");
  assert.equal(tick(2.5), "2.5");
  assert.equal(tick(2_500), "2.5 s");
});

test("a quantile above the last bound is told as that", () => {
  const latency = { bounds_ms: BOUNDS, counts: [1, 0, 0, 9], p50_ms: 40, p99_ms: null };
  assert.equal(quantileOf(latency, "p50_ms"), "> 40 ms");
  assert.equal(quantileOf({ ...latency, p50_ms: 12 }, "p50_ms"), "12 ms");
  assert.equal(quantileOf(latency, "p99_ms"), "–");
});
