/** Bars below one another over the same time. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { BarsAnswer, OhlcBar } from "../src/model/answers";
import { extended, history, historySummary, historyTable, written } from "../src/model/candles";
import { labels, slotLabel, wholeTimes } from "../src/model/timeline";
import { formats, sample } from "./samples";

const bar = (start_ts: number, close: number): OhlcBar => ({
  start_ts,
  open: close,
  high: close,
  low: close,
  close,
  count: 1,
  complete: true,
});
const MINUTE = 60_000;

function bars(starts: readonly number[], gaps: BarsAnswer["gaps"] = []): BarsAnswer {
  const [first, last] = [starts[0] as number, starts.at(-1) as number];
  return {
    ...{ symbol: "NIFTY", product: "NIFTY", expiry: null, metric: "spot", interval: "1m", timezone: "Asia/Kolkata" },
    from_ts: first * MINUTE,
    to_ts: last * MINUTE,
    bars: starts.map((start) => bar(start * MINUTE, start)),
    gaps,
  };
}

const gap = (from: number, to: number, in_session: boolean) => ({
  from_ts: from * MINUTE,
  to_ts: to * MINUTE,
  bars: to - from,
  in_session,
});

test("panes share their slots, and closed hours take none", () => {
  const [spot, iv] = [sample<BarsAnswer>("ohlc-spot"), sample<BarsAnswer>("ohlc-iv-atm")];
  const shown = history([spot, iv], ["Spot", "ATM IV"]);
  assert.deepEqual(
    shown.starts,
    spot.bars.map(({ start_ts }) => start_ts),
  );
  assert.deepEqual(
    shown.panes[0]?.close,
    spot.bars.map(({ close }) => close),
  );
  assert.equal(shown.panes[1]?.forming, true);
  const table = historyTable(shown, spot.timezone, [written("spot", formats), written("iv_atm", formats)]);
  assert.deepEqual(
    table.columns.slice(0, 3).map(({ title }) => title),
    ["start_ts", "spot open", "spot high"],
  );
  assert.match(
    historySummary(shown, "5m", spot.timezone, [written("spot", formats), written("iv_atm", formats)]),
    /Spot from 24,554\.66 to .*; ATM IV from 12/,
  );
});

test("missing bars stay empty, and a night is one line", () => {
  const shown = history(
    [bars([10, 11, 14, 30, 31], [gap(0, 10, true), gap(12, 14, true), gap(15, 30, false)])],
    ["Spot"],
  );
  assert.deepEqual(
    shown.starts.map((start) => start / MINUTE),
    [10, 11, 12, 13, 14, 30, 31],
  );
  assert.deepEqual(shown.panes[0]?.close, [10, 11, null, null, 14, 30, 31]);
  assert.deepEqual(shown.breaks, [5]);
});

test("newer bars replace the end of what is known", () => {
  const known = bars([1, 2, 3, 4], [gap(0, 1, true)]);
  const tail = { ...bars([4, 5]), from_ts: 3 * MINUTE, gaps: [gap(3, 4, true)] };
  const joined = extended(known, tail, 2 * MINUTE);
  assert.deepEqual(
    joined.bars.map(({ start_ts }) => start_ts / MINUTE),
    [2, 4, 5],
  );
  assert.equal(joined.to_ts, 5 * MINUTE);
  assert.deepEqual(
    joined.gaps.map(({ from_ts }) => from_ts / MINUTE),
    [0, 3],
  );
});

test("nothing stored is no history", () => {
  const shown = history([{ ...bars([1]), bars: [] }], ["Spot"]);
  assert.deepEqual(shown.starts, []);
  assert.equal(historySummary(shown, "1m", "UTC", []), "There are no bars.");
});

test("slots are labelled in the exchange's time", () => {
  assert.equal(slotLabel(Date.UTC(2026, 10, 30, 3, 45), "Asia/Kolkata", "time"), "09:15");
  assert.equal(slotLabel(Date.UTC(2026, 10, 30, 20, 0), "Asia/Kolkata", "day"), "1 Dec");
});

test("labels stand at whole times of the exchange, with the day where it begins", () => {
  const opens = Date.UTC(2026, 10, 30, 3, 45); // 09:15
  const day = Array.from({ length: 60 }, (_, i) => opens + i * MINUTE);
  const starts = [...day, ...day.map((start) => start + 24 * 60 * MINUTE)];
  const slots = wholeTimes(starts, [-0.5, 119.5], 8, "Asia/Kolkata");
  assert.deepEqual(labels(starts, slots, "Asia/Kolkata"), [
    "09:30\n30 Nov",
    "09:45",
    "10:00",
    "09:15\n1 Dec",
    "09:30",
    "09:45",
    "10:00",
  ]);
  assert.deepEqual(wholeTimes(starts.slice(0, 1), [-0.5, 0.5], 8, "Asia/Kolkata"), [0]);
  assert.deepEqual(wholeTimes([], [0, 0], 8, "Asia/Kolkata"), []);
});

test("metrics are written as what they are", () => {
  const show = (metric: string, value: number) => written(metric, formats).show(value);
  assert.equal(show("iv_atm", 0.1254), "12.54 %");
  assert.equal(show("rr25", -0.0142), "−1.42 vp");
  assert.equal(show("pcr_oi", 1.3127), "1.313");
  assert.equal(show("call_open_interest", 4_66_513), "4.67 L");
  assert.equal(show("atm_straddle", 136.125), "136.13");
});
