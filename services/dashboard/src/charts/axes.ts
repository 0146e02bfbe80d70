/** Scales and axes: what is seen of the data, and the numbers beside it. */
import type uPlot from "uplot";

import type { Plot } from "../model/figure";
import type { Palette } from "./palette";

const TICK_ROOM = { x: 64, y: 32 };

export function xRange(plot: Plot, low: number, high: number): [number, number] {
  const [first, second] = plot.x;
  if (first === undefined) return [0, 1];
  // Bars and points at the ends need room of their own.
  const step = second === undefined ? 1 : second - first;
  const marks = plot.marks.map((mark) => mark.at);
  const [from, to] = [Math.min(low, ...marks), Math.max(high, ...marks)];
  const room = plot.traces.some((trace) => trace.kind === "bars") ? step * 0.6 : (to - from || 1) * 0.02;
  return [from - room, to + room];
}

export function yRange(zero: boolean, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null) return [0, 1];
  const [from, to] = zero ? [Math.min(0, low), Math.max(0, high)] : [low, high];
  const room = (to - from || Math.abs(to) || 1) * 0.07;
  return [zero && from === 0 ? 0 : from - room, zero && to === 0 ? 0 : to + room];
}

/** As wide as its longest number, so that none is cut. */
export function axes(
  showX: () => (value: number, step: number) => string,
  showY: () => (value: number, step: number) => string,
  colours: () => Palette,
  title?: () => string,
): uPlot.Axis[] {
  const look: uPlot.Axis = {
    stroke: () => colours().text,
    font: colours().font,
    grid: { stroke: () => colours().grid, width: 1 },
    ticks: { show: false },
  };
  return [
    {
      ...look,
      size: 26,
      gap: 6,
      space: TICK_ROOM.x,
      values: (_, splits, __, ___, step) => splits.map((value) => showX()(value, step)),
      ...(title ? { label: title(), labelSize: 16, labelGap: 0, labelFont: colours().font, size: 22 } : {}),
    },
    {
      ...look,
      gap: 6,
      space: TICK_ROOM.y,
      size: (chart, values) => {
        const { ctx } = chart;
        ctx.save();
        ctx.font = colours().font;
        const widest = Math.max(24, ...(values ?? []).map((value) => ctx.measureText(value).width));
        ctx.restore();
        return Math.ceil(widest) + 12;
      },
      values: (_, splits, __, ___, step) => splits.map((value) => showY()(value, step)),
    },
  ];
}
