import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import type { Chain, Metrics } from "../src/messages";
import { COLUMNS, values } from "../src/views/ladder-columns";
import { atTheMoney, marks, nearest } from "../src/views/ladder-marks";

/** What the platform really answers, as the repository keeps it. */
function answer<Body>(name: string): Body {
  return (JSON.parse(readFileSync(`../../examples/outputs/rest/${name}.json`, "utf8")) as { body: Body }).body;
}

test("the nearest strike is found, the lower one on a tie, and none far away", () => {
  const strikes = [100, 150, 200];
  assert.equal(nearest(strikes, 149), 1);
  assert.equal(nearest(strikes, 125), 0);
  assert.equal(nearest(strikes, 240), 2);
  assert.equal(nearest(strikes, 400), undefined);
  assert.equal(nearest(strikes, null), undefined);
});

test("marks stand at their strikes", () => {
  const chain = answer<Chain>("chain");
  const metrics = answer<Metrics>("metrics");
  const found = marks(chain, { ...metrics, max_pain: chain.strikes[0] as number, call_wall: chain.strikes[0] as number });
  assert.deepEqual(found.get(0)?.map(({ text }) => text), ["max pain", "call wall"]);
  assert.equal(marks(chain, undefined).size, 0);
  assert.equal(chain.strikes[atTheMoney(chain) as number], chain.atm_strike);
});

test("every column is there in a chain as it is sent", () => {
  const chain = answer<Chain>("chain");
  for (const column of COLUMNS) {
    assert.equal(values(chain.calls, column).length, chain.strikes.length, column.name);
    assert.equal(values(chain.puts, column).length, chain.strikes.length, column.name);
  }
});
