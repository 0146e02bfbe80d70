import assert from "node:assert/strict";
import { test } from "node:test";

import { level, path } from "../src/sparkline";

test("the lowest is at the bottom and the highest at the top, a pixel inside", () => {
  assert.equal(path([[0, 10], [5, 20], [10, 15]], [0, 10], 100, 22), "M0 21L50 1L100 11");
});

test("a value that never changed is a line in the middle", () => {
  assert.equal(path([[0, 7], [10, 7]], [0, 10], 100, 22), "M0 11L100 11");
});

test("a level is drawn only where it lies among the values", () => {
  const points = [[0, 10], [10, 20]] as const;
  assert.equal(level(15, points, 22), 11);
  assert.equal(level(25, points, 22), undefined);
});
