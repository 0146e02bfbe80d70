import assert from "node:assert/strict";
import { test } from "node:test";

import { formatPlace, moved, parsePlace, sameChoices } from "../src/router";

const CHOSEN = "#/history/NIFTY/2026-12-29?as_of=2026-11-30T09:00:00.000Z&panes=spot,iv_atm&interval=5m";
const AS_OF = Date.parse("2026-11-30T09:00:00Z");

test("an address and the place that it names are the same", () => {
  for (const hash of [
    "#/overview",
    "#/chain/NIFTY/2026-12-29",
    "#/chain/NIFTY/2026-12-29?as_of=2026-11-30T09:00:00.000Z",
    CHOSEN,
  ]) {
    assert.equal(formatPlace(parsePlace(hash, "overview")), hash);
  }
  assert.deepEqual(parsePlace(`#/chain/nifty?as_of=${AS_OF}`, "overview"), {
    view: "chain",
    product: "NIFTY",
    expiry: undefined,
    asOf: AS_OF,
    choices: undefined,
  });
});

test("what is no address of ours leads home", () => {
  for (const hash of ["", "#", "#/", "#/%", "#//", "#/<script>"])
    assert.equal(parsePlace(hash, "overview").view, "overview");
  const place = parsePlace("#/chain/NIF%2FTY/tomorrow?as_of=never", "overview");
  assert.deepEqual(place, {
    view: "chain",
    product: undefined,
    expiry: undefined,
    asOf: undefined,
    choices: undefined,
  });
});

test("another product begins at its own nearest expiry, and at the same instant", () => {
  const place = parsePlace("#/chain/NIFTY/2026-12-29?as_of=2026-11-30T09:00:00.000Z", "overview");
  assert.equal(formatPlace(moved(place, { product: "SPY" })), "#/chain/SPY?as_of=2026-11-30T09:00:00.000Z");
  assert.equal(formatPlace(moved(place, { view: "overview", asOf: undefined })), "#/overview/NIFTY/2026-12-29");
  assert.equal(formatPlace(moved(place, { product: "NIFTY" })), formatPlace(place));
});

test("what was chosen stays within its view, and is passed on only if it reads like a choice", () => {
  const place = parsePlace(CHOSEN, "overview");
  assert.deepEqual(place.choices, { panes: "spot,iv_atm", interval: "5m" });
  assert.deepEqual(moved(place, { product: "SPY" }).choices, place.choices);
  assert.equal(moved(place, { view: "chain" }).choices, undefined);
  assert.equal(parsePlace("#/history/NIFTY?panes=<b>&PANES=spot&a%20b=c", "overview").choices, undefined);
});

test("choices are the same whatever their order", () => {
  assert.ok(sameChoices({ a: "1", b: "2" }, { b: "2", a: "1" }));
  assert.ok(sameChoices(undefined, {}));
  assert.ok(!sameChoices({ a: "1" }, { a: "2" }) && !sameChoices({ a: "1" }, { a: "1", b: "2" }));
});
