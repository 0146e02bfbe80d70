/** What charts draw, out of payloads as the platform gave them (tests/samples). */
import assert from "node:assert/strict";
import { test } from "node:test";

import { every, placed } from "../src/charts/labels";
import { cividis } from "../src/charts/palette";
import type { Metrics, Surface } from "../src/messages";
import type {
  BuildupAnswer,
  GexAnswer,
  MaxPainAnswer,
  OiAnswer,
  SmileAnswer,
  SurfaceAnswer,
  TermAnswer,
  Violation,
} from "../src/model/answers";
import { between, csv, type Plot, type Trace } from "../src/model/figure";
import { plainTick, short, volTick } from "../src/model/formats";
import {
  buildupMatrix,
  gexPlot,
  gexProfilePlot,
  oiChangePlot,
  oiPlot,
  painPlot,
  sharesOf,
} from "../src/model/positioning";
import { describedViolation, smilePlot } from "../src/model/smile";
import { gridOf, surfaceMatrix, termPlot } from "../src/model/surface";
import { formats, sample } from "./samples";


const column = (plot: Plot, kind: Trace["kind"], label: string): readonly (number | null)[] => {
  const found = plot.traces.find((trace) => trace.kind === kind && trace.label === label && !trace.unlisted);
  assert.ok(found && found.kind !== "whisker", `${kind} ${label}`);
  return found.y;
};

/** Every column has an entry for each x, and x rises: uPlot looks values up by halving. */
function assertAligned(plot: Plot): void {
  for (const trace of plot.traces) {
    for (const values of trace.kind === "whisker" ? [trace.low, trace.high] : [trace.y])
      assert.equal(values.length, plot.x.length);
  }
  assert.ok(plot.x.every((x, i) => i === 0 || x > (plot.x[i - 1] as number)));
  assert.ok(plot.table.rows.every((row) => row.length === plot.table.columns.length));
  assert.ok(plot.summary.length > 20 && !/NaN|undefined|null/.test(plot.summary), plot.summary);
}

// --- smile ---------------------------------------------------------------------------------

const VIOLATION: Violation = {
  kind: "butterfly",
  expiry: "2026-12-01",
  moneyness: -0.005,
  depth: 0.1,
  quoted: true,
  tradable: false,
};
const near = { axis: "strike", whole: false, violations: [] } as const;

test("a smile has the quotes out of the money, and the curve as the API fitted it", () => {
  const answer = sample<SmileAnswer>("smile");
  const plot = smilePlot(answer, near, formats);
  assertAligned(plot);
  const [puts, calls] = [column(plot, "points", "Put mid"), column(plot, "points", "Call mid")];
  plot.x.forEach((strike, i) => {
    const at = answer.strikes.indexOf(strike);
    const isPut = strike < (answer.forward as number);
    assert.equal(puts[i], isPut ? answer.puts.iv[at] : null);
    assert.equal(calls[i], isPut ? null : answer.calls.iv[at]);
  });
  const fitted = plot.traces.filter((trace) => trace.label === "Fitted");
  plot.x.forEach((strike, i) => {
    const drawn = fitted.map((trace) => (trace.kind === "line" ? trace.y[i] : null)).filter((iv) => iv !== null);
    assert.ok(drawn.length > 0 && drawn.every((iv) => iv === answer.fitted_iv[answer.strikes.indexOf(strike)]));
  });
});

test("the curve is solid only within the fitted range", () => {
  const answer = sample<SmileAnswer>("smile");
  const plot = smilePlot(answer, { ...near, axis: "moneyness" }, formats);
  const solid = column(plot, "line", "Fitted");
  const { k_low: low, k_high: high } = answer.fit as NonNullable<SmileAnswer["fit"]>;
  plot.x.forEach((k, i) => assert.equal(solid[i] !== null, k >= low && k <= high));
});

test("risk reversal is marked at the deltas that the API gives, on the fitted curve", () => {
  const answer = sample<SmileAnswer>("smile");
  const plot = smilePlot(answer, near, formats);
  const [put, call] = plot.notes.filter(({ label }) => label !== undefined);
  const delta = (side: "calls" | "puts", strike: number) =>
    between(answer.strikes, answer[side].delta, strike) as number;
  assert.ok(Math.abs(delta("puts", put?.at[0] as number) + 0.25) < 1e-9);
  assert.ok(Math.abs(delta("calls", call?.at[0] as number) - 0.25) < 1e-9);
  // What is drawn agrees with the number beside it, as far as lines between strikes can.
  assert.ok(Math.abs((call?.at[1] as number) - (put?.at[1] as number) - (answer.rr25 as number)) < 5e-4);
});

test("violations are crosses on the curve, and words", () => {
  const plot = smilePlot(sample("smile"), { ...near, axis: "moneyness", violations: [VIOLATION] }, formats);
  const cross = plot.notes.find(({ shape }) => shape === "cross");
  assert.equal(cross?.tone, "bad");
  assert.ok(Math.abs((cross?.at[0] as number) - VIOLATION.moneyness) < 1e-9);
  const { moneyness, fitted_iv: fitted } = sample<SmileAnswer>("smile");
  assert.equal(cross?.at[1], between(moneyness, fitted, VIOLATION.moneyness));
  assert.match(plot.summary, /1 violation/);
  assert.equal(describedViolation(VIOLATION, formats), "Butterfly of 1 Dec at ln(K/F) −0.005, in the fitted smile");
});

test("without a fit or a forward a smile has its quotes all the same", () => {
  const answer = { ...sample<SmileAnswer>("smile"), fit: null, rr25: null, iv_atm: null };
  const plot = smilePlot({ ...answer, fitted_iv: answer.fitted_iv.map(() => null) }, near, formats);
  assertAligned(plot);
  assert.ok(plot.x.length > 10);
  assert.deepEqual(plot.notes, []);
  assert.match(plot.summary, /No curve could be fitted/);
});

test("all quoted strikes are more than those around the fit", () => {
  const answer = sample<SmileAnswer>("smile");
  assert.ok(smilePlot(answer, { ...near, whole: true }, formats).x.length > smilePlot(answer, near, formats).x.length);
});

// --- surface -------------------------------------------------------------------------------

test("a surface has the cells of its state, without columns that nobody knows", () => {
  const state = sample<Surface>("surface");
  const matrix = surfaceMatrix(state, gridOf(state), formats);
  assert.equal(matrix.rows.length, state.slices.length);
  const first = state.moneyness.findIndex((_, i) => state.slices.some(({ iv }) => iv[i] !== null));
  assert.equal(matrix.rows[0]?.cells[0], state.slices[0]?.iv[first]);
  for (const { cells } of matrix.rows) assert.equal(cells.length, matrix.xLabels.length);
  assert.equal(matrix.xLabels[matrix.marks[0]?.column as number], "0.00");
});

test("by delta, puts stand on the left", () => {
  const answer = sample<SurfaceAnswer>("surface-by-delta");
  const matrix = surfaceMatrix(answer, answer.grid as NonNullable<SurfaceAnswer["grid"]>, formats);
  assert.equal(matrix.xLabels[0], "5ΔP");
  assert.equal(matrix.xLabels.at(-1), "5ΔC");
  assert.equal(matrix.xLabels[matrix.marks[0]?.column as number], "50Δ");
  assert.equal(matrix.rows[0]?.cells[0], answer.grid?.rows[0]?.iv.at(-1));
});

test("violations frame their cell", () => {
  const state = sample<Surface>("surface");
  const expiry = state.slices[1]?.expiry as string;
  const matrix = surfaceMatrix(
    { ...state, violations: [{ ...VIOLATION, expiry, moneyness: 0.021 }] },
    gridOf(state),
    formats,
  );
  const [fault] = matrix.faults;
  assert.equal(fault?.row, 1);
  assert.equal(matrix.xLabels[fault?.column as number], "0.02");
});

test("a term structure joins expiries over the days between them", () => {
  const answer = sample<TermAnswer>("term-structure");
  const plot = termPlot(answer, formats);
  assertAligned(plot);
  const atm = column(plot, "line", "At the money");
  assert.deepEqual(
    atm.filter((iv) => iv != null),
    answer.expiries.map(({ iv_atm }) => iv_atm),
  );
  // Undefined is passed over; null would tear the line at the days of constant maturities.
  assert.ok(!atm.includes(null));
  assert.equal(plot.showX(plot.x[0] as number), "1 Dec");
});

// --- positioning ---------------------------------------------------------------------------

const window = { centre: 24_574, beside: 20 };

test("open interest stands by strike, with its levels", () => {
  const [answer, metrics] = [sample<OiAnswer>("oi-change"), sample<Metrics>("metrics")];
  const plot = oiPlot(answer, metrics, window, formats);
  assertAligned(plot);
  assert.equal(plot.x.length, 41);
  const at = answer.strikes.indexOf(plot.x[7] as number);
  assert.equal(column(plot, "bars", "Calls")[7], answer.calls.open_interest[at]);
  assert.equal(column(plot, "bars", "Puts")[7], answer.puts.open_interest[at]);
  assert.deepEqual(
    plot.marks.map(({ at: where }) => where),
    [metrics.spot, metrics.max_pain, metrics.put_oi_wall, metrics.call_oi_wall],
  );
  assert.equal(plot.marks[1]?.label, "max pain 24,550");
  assert.equal(oiPlot(answer, metrics, { ...window, beside: null }, formats).x.length, answer.strikes.length);
});

test("changes say since when and how much in all", () => {
  const answer = sample<OiAnswer>("oi-change");
  const plot = oiChangePlot(answer, { spot: 24_574 }, window, formats);
  assertAligned(plot);
  assert.match(plot.summary, /since the previous close: calls \+59\.1 k, puts \+38\.1 k/);
});

test("build-up has a class for each strike and side, and shares of one", () => {
  const answer = sample<BuildupAnswer>("oi-buildup");
  const matrix = buildupMatrix(answer, window, formats);
  assert.deepEqual(
    matrix.rows.map(({ label }) => label),
    ["Calls", "Puts"],
  );
  assert.ok(matrix.rows.every(({ cells }) => cells.every((cell) => cell === null || (cell >= 0 && cell < 5))));
  const total = sharesOf(answer.calls).reduce((sum, { share }) => sum + share, 0);
  assert.ok(Math.abs(total - 1) < 1e-3);
  assert.deepEqual(sharesOf({ ...answer.calls, shares: null }), []);
});

test("gamma stands by strike, and by spot with the flip where the API repriced it", () => {
  const answer = sample<GexAnswer>("gex");
  assertAligned(gexPlot(answer, window, formats));
  const profile = gexProfilePlot(answer, formats);
  assertAligned(profile);
  assert.deepEqual(column(profile, "line", "Repriced at each spot"), answer.gex_by_spot);
  assert.ok(profile.marks.some(({ at }) => at === answer.gex_flip));
  const without = gexProfilePlot({ ...answer, gex_flip: null }, formats);
  assert.match(without.summary, /does not change its sign/);
});

test("max pain is marked at its strike, at the foot of the curve", () => {
  const answer = sample<MaxPainAnswer>("max-pain");
  const plot = painPlot(answer, window, formats);
  assertAligned(plot);
  assert.equal(plot.notes[0]?.at[0], answer.max_pain);
  assert.equal(plot.notes[0]?.at[1], Math.min(...(answer.pain as number[])));
});

// --- words, numbers and places -------------------------------------------------------------

test("CSV has numbers as they came, and quotes what needs it", () => {
  const table = {
    columns: [{ title: "a" }, { title: "b, c", show: formats.vol }],
    rows: [
      [0.12345678, null],
      ['say "x"', -1],
    ],
  };
  assert.equal(csv(table), 'a,"b, c"\r\n0.12345678,\r\n"say ""x""",-1\r\n');
});

test("ticks have the decimals that tell them apart", () => {
  assert.equal(volTick(0.125, 0.005), "12.5 %");
  assert.equal(volTick(0.12, 0.02), "12 %");
  assert.equal(plainTick(1.3125, 0.0025), "1.3125");
  assert.equal(short(formats.compact)(20_000, 1), "20 k");
  assert.equal(short(formats.compact)(1_00_000, 1), "1 L");
  assert.equal(short(formats.compact)(1_25_000, 1), "1.25 L");
});

test("places of marks lie between their neighbours, or nowhere", () => {
  assert.equal(between([1, 2, 3], [10, 20, 40], 2.5), 30);
  assert.equal(between([3, 2, 1], [10, 20, 40], 2.5), 15);
  assert.equal(between([1, null, 3], [10, 20, 40], 2), null);
  assert.equal(between([1, 2], [10, 20], 5), null);
});

test("labels touch neither one another nor the edge", () => {
  const places = placed(
    [
      { at: 5, width: 40 },
      { at: 30, width: 40 },
      { at: 100, width: 30 },
    ],
    110,
  );
  assert.deepEqual(places, [
    { left: 0, row: 0 },
    { left: 10, row: 1 },
    { left: 80, row: 0 },
  ]);
  assert.equal(every(40, 32, 400), 4);
});

test("colours of the scale grow lighter all along", () => {
  const light = Array.from({ length: 21 }, (_, i) => cividis(i / 20)).map(
    ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b,
  );
  assert.ok(light.every((value, i) => i === 0 || value > (light[i - 1] as number)));
});
