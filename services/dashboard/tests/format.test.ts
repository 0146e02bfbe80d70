import assert from "node:assert/strict";
import { test } from "node:test";

import * as format from "../src/format";
import { trouble } from "../src/freshness";

const INDIA: format.Market = { currency: "INR", timezone: "Asia/Kolkata", decimals: 2 };
const US: format.Market = { currency: "USD", timezone: "America/New_York", decimals: 2 };

test("what cannot be computed is a dash and never a zero", () => {
  const writers = [format.price, format.strike, format.signed, format.compact, format.compactSigned, format.money];
  for (const write of writers) assert.equal(write(null, INDIA), "–");
  for (const write of [format.percent, format.ratio, format.volPoints, format.hundredfold]) assert.equal(write(undefined), "–");
  assert.equal(format.price(Number.NaN, INDIA), "–");
  assert.equal(format.price(0, INDIA), "0.00");
});

test("numbers are grouped as their market groups them", () => {
  assert.equal(format.price(1234567.891, INDIA), "12,34,567.89");
  assert.equal(format.price(1234567.891, US), "1,234,567.89");
  assert.equal(format.strike(24550, INDIA), "24,550");
  assert.equal(format.strike(232.5, US), "232.50");
});

test("large counts are in lakh and crore, or in millions", () => {
  assert.deepEqual(
    [999, 1_096, 14_300, 96_400, 118_000, 7_433_000, 56_940_000].map((value) => format.compact(value, INDIA)),
    ["999", "1.10 k", "14.3 k", "96.4 k", "1.18 L", "74.3 L", "5.69 Cr"],
  );
  assert.equal(format.compact(56_940_000, US), "56.9 M");
  assert.equal(format.compact(-1_560, INDIA), "−1.56 k");
  assert.equal(format.compactSigned(605, INDIA), "+605");
  assert.equal(format.compactSigned(0, INDIA), "0");
  assert.equal(format.money(-493_624_855_956, INDIA), "−₹49,362 Cr");
});

test("a minus is as wide as a plus, and nothing has no sign", () => {
  assert.equal(format.signed(-354.34, INDIA), "−354.34");
  assert.equal(format.signed(0.001, INDIA), "0.00");
  assert.equal(format.ratio(-0.001), "0.00");
  assert.equal(format.percent(-0.017281), "−1.73 %");
  assert.equal(format.volPoints(0.002157), "+0.22 vp");
});

test("ages and days are said in the unit that a reader thinks in", () => {
  assert.deepEqual([400, 9_949, 12_300, 180_000, 7.2e6, 2e8].map(format.duration), ["0.4 s", "9.9 s", "12 s", "3 min", "2 h", "2 d"]);
  assert.equal(format.day("2026-12-29", new Date("2026-11-30")), "29 Dec");
  assert.equal(format.day("2027-01-26", new Date("2026-11-30")), "26 Jan ’27");
  assert.equal(format.left(29.2 / 365), "29 d");
  assert.equal(format.left(26 / 24 / 365), "26 h");
  assert.equal(format.clock(Date.parse("2026-11-30T07:15:02Z"), "Asia/Kolkata"), "12:45:02");
});

test("what is wrong is said in a sentence, with how old the numbers are", () => {
  assert.equal(trouble("live", 400), undefined);
  assert.equal(trouble("past", 400), undefined);
  assert.match(trouble("stale", 12_300) ?? "", /silent for 12 s/);
  assert.match(trouble("reconnecting", 8_000) ?? "", /connecting again.*8\.0 s old/);
  assert.match(trouble("resyncing", undefined) ?? "", /whole state\.$/);
  assert.equal(trouble("absent", undefined, "no such expiry"), "No such expiry.");
});
