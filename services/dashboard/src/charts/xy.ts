/** Lines, points, whiskers and bars over one axis of numbers. uPlot has the axes, scales, lines and the cursor. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import type { TermName } from "../glossary";
import type { Mark, Note, Plot, Trace, Values } from "../model/figure";
import { axes, xRange, yRange } from "./axes";
import { Frame, type Key, type Step } from "./frame";
import { placed } from "./labels";
import type { Palette } from "./palette";
import { haloed, line, point, scaled, tick, whisker } from "./strokes";

const MARK_LINE = 14;
const POINT = 2.6;

export class XyChart {
  readonly element: HTMLElement;
  readonly frame: Frame;
  #plot: Plot | undefined;
  #uplot: uPlot | undefined;
  #made = "";
  #index: number | null = null;

  constructor(title: string, name: string, term?: TermName) {
    this.frame = new Frame({
      title,
      name,
      term,
      draw: (width, height, palette) => this.#draw(width, height, palette),
      picture: () => this.#uplot?.ctx.canvas ?? null,
      step: (by) => this.#step(by),
    });
    this.element = this.frame.element;
  }

  show(plot: Plot): void {
    this.#plot = plot;
    if (this.#index !== null && this.#index >= plot.x.length) this.#index = null;
    this.frame.describe(plot, this.#keys());
    this.frame.draw();
  }

  destroy(): void {
    this.#uplot?.destroy();
    this.frame.destroy();
  }

  #draw(width: number, height: number, palette: Palette): void {
    const plot = this.#plot;
    if (plot === undefined) return;
    const made = `${plot.traces.map(shapeOf).join()} ${palette.text}`;
    if (this.#uplot === undefined || made !== this.#made) {
      this.#uplot?.destroy();
      this.#made = made;
      this.#uplot = new uPlot(this.#options(plot, width, height), dataOf(plot), this.frame.ground);
      return;
    }
    const chart = this.#uplot;
    chart.batch(() => {
      if (chart.width !== width || chart.height !== height) chart.setSize({ width, height });
      chart.setData(dataOf(plot));
    });
  }

  #options(plot: Plot, width: number, height: number): uPlot.Options {
    const colours = (): Palette => this.frame.palette;
    const now = (): Plot => this.#plot as Plot;
    return {
      width,
      height,
      // On the right, half of a label that stands at the very end.
      padding: [(chart) => marksHeight(now(), chart.width, colours()), 24, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: (_, low, high) => xRange(now(), low, high) },
        y: { range: (_, low, high) => yRange(now().zero, low, high) },
      },
      axes: axes(
        () => now().tickX ?? now().showX,
        () => now().tickY ?? now().showY,
        colours,
        () => now().xTitle,
      ),
      series: [{}, ...plot.traces.flatMap((trace, i) => seriesOf(trace, colours, () => now().traces[i] as Trace))],
      cursor: {
        drag: { x: false, y: false, setScale: false },
        points: { size: 7, stroke: colours().ground, width: 1 },
        y: false,
      },
      hooks: {
        draw: [(chart) => drawOver(chart, now(), colours())],
        setCursor: [(chart) => this.#moved(chart.cursor.idx ?? null)],
      },
    };
  }

  #moved(index: number | null): void {
    if (index === this.#index) return;
    this.#index = index;
    this.#point(false);
  }

  #point(spoken: boolean): void {
    const plot = this.#plot as Plot;
    const at = this.#index === null ? undefined : plot.x[this.#index];
    this.frame.point(at === undefined ? "" : plot.showX(at), this.#keys(), spoken);
  }

  #step(by: Step): void {
    const [chart, plot] = [this.#uplot, this.#plot];
    if (chart === undefined || plot === undefined || plot.x.length === 0) return;
    if (by === "none") {
      chart.setCursor({ left: -10, top: -10 });
      return;
    }
    const last = plot.x.length - 1;
    const from = this.#index ?? (typeof by === "object" && (by.x ?? 0) < 0 ? last + 1 : -1);
    const to = by === "first" ? 0 : by === "last" ? last : Math.min(last, Math.max(0, from + (by.x ?? 0)));
    this.#index = to;
    chart.setCursor({ left: chart.valToPos(plot.x[to] as number, "x"), top: 1 });
    this.#point(true);
  }

  #keys(): Key[] {
    const plot = this.#plot as Plot;
    const index = this.#index;
    const keys = plot.traces
      .filter((trace) => !trace.unlisted)
      .map((trace) => ({
        label: trace.label,
        tone: trace.tone,
        sign: signOf(trace),
        value: index === null ? undefined : valueAt(plot, trace, index),
      }));
    // Under the cursor only what is there: it fits the line that the legend had.
    return keys.filter(({ value }) => value !== "");
  }
}

/** The value of whichever of the traces of this name has one there. */
function valueAt(plot: Plot, { label, kind }: Trace, index: number): string {
  for (const trace of plot.traces) {
    if (trace.label !== label || (trace.kind !== kind && !trace.unlisted)) continue;
    if (trace.kind === "whisker") {
      const ends = [trace.low[index], trace.high[index]].map((end) => (end == null ? "–" : plot.showY(end)));
      if (ends.some((end) => end !== "–")) return ends.join(" to ");
    } else {
      const value = trace.y[index];
      if (value != null) return plot.showY(value);
    }
  }
  return "";
}

function signOf(trace: Trace): Key["sign"] {
  if (trace.kind === "line") return trace.dotted ? "dot" : trace.dashed ? "dash" : "line";
  if (trace.kind === "points") return trace.shape;
  return trace.kind === "bars" ? "bar" : "whisker";
}

const shapeOf = (trace: Trace): string =>
  [trace.kind, trace.label, trace.tone, trace.kind === "bars" ? trace.place : ""].join("/");

const columnsOf = (trace: Trace): Values[] => (trace.kind === "whisker" ? [trace.low, trace.high] : [trace.y]);

function dataOf(plot: Plot): uPlot.AlignedData {
  return [plot.x as number[], ...plot.traces.flatMap(columnsOf)] as uPlot.AlignedData;
}

function seriesOf(trace: Trace, colours: () => Palette, now: () => Trace): uPlot.Series[] {
  const colour = (): string => colours().tone(now().tone);
  const unseen: uPlot.Series = { paths: () => null, points: { show: false } };
  if (trace.kind === "line") {
    const dash = trace.dotted ? [2, 3] : trace.dashed ? [6, 4] : [];
    return [{ stroke: colour, width: 1.6, dash, points: { show: false }, spanGaps: false }];
  }
  if (trace.kind === "bars") {
    const align = trace.place === "left" ? -1 : trace.place === "right" ? 1 : 0;
    const size = trace.place === "whole" ? 0.76 : 0.42;
    const paths = uPlot.paths.bars?.({ size: [size, 40], align });
    return [{ fill: colour, stroke: colour, width: 0, points: { show: false }, ...(paths ? { paths } : {}) }];
  }
  return trace.kind === "whisker" ? [unseen, { ...unseen }] : [unseen];
}

// --- what uPlot does not draw --------------------------------------------------------------

function drawOver(chart: uPlot, plot: Plot, colours: Palette): void {
  const { ctx } = chart;
  const pixels = devicePixelRatio;
  const at = (x: number, y: number): [number, number] => [chart.valToPos(x, "x", true), chart.valToPos(y, "y", true)];
  ctx.save();
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.rect(chart.bbox.left, chart.bbox.top, chart.bbox.width, chart.bbox.height);
  ctx.clip();
  if (plot.zero) line(ctx, at(chart.scales.x?.min ?? 0, 0), at(chart.scales.x?.max ?? 0, 0), colours.text, pixels, []);
  for (const trace of plot.traces) {
    ctx.strokeStyle = ctx.fillStyle = colours.tone(trace.tone);
    if (trace.kind === "whisker") {
      plot.x.forEach((x, i) => {
        const [low, high] = [trace.low[i], trace.high[i]];
        if (low != null && high != null) whisker(ctx, at(x, low), at(x, high), pixels);
        else if (low != null || high != null) tick(ctx, at(x, (low ?? high) as number), pixels);
      });
    } else if (trace.kind === "points") {
      plot.x.forEach((x, i) => {
        const y = trace.y[i];
        if (y != null) point(ctx, at(x, y), trace.shape, POINT * pixels, trace.hollow ? colours.ground : null);
      });
    }
  }
  for (const note of plot.notes) drawNote(ctx, note, at, colours, pixels);
  ctx.restore();
  drawMarks(chart, plot.marks, colours);
}

function drawNote(
  ctx: CanvasRenderingContext2D,
  { at: from, to, shape, label, side, tone }: Note,
  place: (x: number, y: number) => [number, number],
  colours: Palette,
  pixels: number,
): void {
  const [x, y] = place(...from);
  ctx.strokeStyle = ctx.fillStyle = colours.tone(tone);
  if (to) line(ctx, [x, y], place(...to), colours.tone(tone), 1.2 * pixels, [4 * pixels, 3 * pixels]);
  if (shape) point(ctx, [x, y], shape, 4.4 * pixels, colours.ground);
  if (label === undefined) return;
  ctx.font = scaled(colours.font, pixels);
  ctx.textAlign = side === "left" ? "right" : "left";
  ctx.textBaseline = "middle";
  const away = (side === "left" ? -8 : 8) * pixels;
  haloed(ctx, label, x + away, y - away, colours.ground, pixels);
}

function drawMarks(chart: uPlot, marks: readonly Mark[], colours: Palette): void {
  const { ctx, bbox } = chart;
  const pixels = devicePixelRatio;
  ctx.save();
  ctx.font = scaled(colours.font, pixels);
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  const places = marksPlaced(chart.ctx, marks, (at) => chart.valToPos(at, "x", true) - bbox.left, bbox.width);
  const base = (i: number): number => bbox.top - (4 + (places[i] as { row: number }).row * MARK_LINE) * pixels;
  marks.forEach(({ at, tone }, i) => {
    const x = chart.valToPos(at, "x", true);
    line(ctx, [x, base(i) + 2 * pixels], [x, bbox.top + bbox.height], colours.tone(tone), pixels, [
      3 * pixels,
      3 * pixels,
    ]);
  });
  marks.forEach(({ label, tone }, i) => {
    ctx.fillStyle = colours.tone(tone);
    haloed(ctx, label, bbox.left + (places[i] as { left: number }).left, base(i), colours.ground, pixels);
  });
  ctx.restore();
}

function marksPlaced(
  ctx: CanvasRenderingContext2D,
  marks: readonly Mark[],
  place: (at: number) => number,
  room: number,
): { left: number; row: number }[] {
  return placed(
    marks.map(({ at, label }) => ({ at: place(at), width: ctx.measureText(label).width })),
    room,
  );
}

/** Room above the plot for the rows that its marks will take. */
function marksHeight(plot: Plot, width: number, colours: Palette): number {
  if (plot.marks.length === 0) return 10;
  const ctx = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
  ctx.font = colours.font;
  const [low, high] = xRange(plot, plot.x[0] ?? 0, plot.x.at(-1) ?? 1);
  const room = Math.max(40, width - 76);
  const places = marksPlaced(ctx, plot.marks, (at) => ((at - low) / (high - low)) * room, room);
  return (1 + Math.max(...places.map(({ row }) => row))) * MARK_LINE + 6;
}
