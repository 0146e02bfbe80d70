/** Bars of several metrics over common slots of time, one pane below the other, with one crosshair. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import type { TermName } from "../glossary";
import { historySummary, historyTable, type History, type Pane, type Written } from "../model/candles";
import type { Show } from "../model/figure";
import type { Tick } from "../model/formats";
import { labels, slotLabel, wholeTimes } from "../model/timeline";
import { axes, yRange } from "./axes";
import { Frame, type Key, type Step } from "./frame";
import type { Palette } from "./palette";

export interface Shown {
  readonly history: History;
  readonly interval: string;
  readonly timezone: string;
  /** Newest instant behind it, UTC epoch milliseconds. */
  readonly until: number;
  /** One for each pane. */
  readonly written: readonly Written[];
}

const X_AXIS = 42;
const FIRST_SHARE = 2;
const LABEL_ROOM = 92;
const PANE_LABEL = 12;
const WIDEST_BAR = 17;

let groups = 0;

export class Panes {
  readonly element: HTMLElement;
  readonly frame: Frame;
  readonly #group = `panes-${(groups += 1)}`;
  #charts: uPlot[] = [];
  #shown: Shown | undefined;
  #made = "";
  #index: number | null = null;

  constructor(title: string, name: string, term?: TermName) {
    this.frame = new Frame({
      title,
      name,
      term,
      draw: (width, height, palette) => this.#draw(width, height, palette),
      picture: () => this.#picture(),
      step: (by) => this.#step(by),
    });
    this.element = this.frame.element;
  }

  show(shown: Shown): void {
    // Somebody who looks at a part of it goes on looking at that part.
    const zoom = this.#zoom();
    this.#shown = shown;
    const { history, interval, timezone, written } = shown;
    this.frame.describe(
      {
        at: slotLabel(shown.until, timezone, "both"),
        summary: historySummary(history, interval, timezone, written),
        table: historyTable(history, timezone, written),
      },
      this.#keys(),
    );
    this.frame.draw();
    if (zoom !== undefined) for (const chart of this.#charts) chart.setScale("x", zoom);
  }

  destroy(): void {
    for (const chart of this.#charts) chart.destroy();
    this.frame.destroy();
  }

  #zoom(): { min: number; max: number } | undefined {
    const scale = this.#charts[0]?.scales.x;
    const slots = this.#shown?.history.starts.length ?? 0;
    if (scale?.min == null || scale.max == null || slots === 0) return undefined;
    return scale.min > -0.5 || scale.max < slots - 0.5 ? { min: scale.min, max: scale.max } : undefined;
  }

  #draw(width: number, height: number, palette: Palette): void {
    const shown = this.#shown;
    if (shown === undefined) return;
    const { panes } = shown.history;
    const made = `${panes.map(({ metric }) => metric).join()} ${palette.text} ${shown.timezone}`;
    const sizes = heights(panes.length, height);
    if (made !== this.#made) {
      for (const chart of this.#charts) chart.destroy();
      this.#made = made;
      this.#charts = panes.map(
        (_, i) => new uPlot(this.#options(i, width, sizes[i] as number), dataOf(shown, i), this.frame.ground),
      );
      return;
    }
    this.#charts.forEach((chart, i) =>
      chart.batch(() => {
        if (chart.width !== width || chart.height !== sizes[i]) chart.setSize({ width, height: sizes[i] as number });
        chart.setData(dataOf(shown, i));
      }),
    );
  }

  #options(pane: number, width: number, height: number): uPlot.Options {
    const colours = (): Palette => this.frame.palette;
    const now = (): Shown => this.#shown as Shown;
    const isLast = pane === now().history.panes.length - 1;
    const tick: Tick = (value, step) => (now().written[pane]?.tick ?? String)(value, step);
    const [xAxis, yAxis] = axes(
      () => String,
      () => tick,
      colours,
    ) as [uPlot.Axis, uPlot.Axis];
    const unseen: uPlot.Series = { paths: () => null, points: { show: false } };
    return {
      width,
      height,
      padding: [PANE_LABEL + 6, 12, 0, 0],
      legend: { show: false },
      scales: {
        // Bars at both ends of all there is need room; a part that somebody chose stays as it is.
        x: {
          time: false,
          range: (_, low, high) => [
            low === 0 ? -0.5 : low,
            high === now().history.starts.length - 1 ? high + 0.5 : high,
          ],
        },
        y: { range: (_, low, high) => yRange(false, low, high) },
      },
      axes: [
        {
          ...xAxis,
          show: true,
          size: isLast ? X_AXIS : 4,
          splits: (chart) => labelledSlots(now(), chart),
          values: (_, splits) => (isLast ? labels(now().history.starts, splits, now().timezone) : splits.map(() => "")),
        },
        // All panes give the same room to their numbers, or time would not stand below time.
        { ...yAxis, size: () => this.#axisWidth(), space: 20 },
      ],
      series: [{}, unseen, { ...unseen }, { ...unseen }, { ...unseen }],
      cursor: {
        sync: { key: this.#group, scales: ["x", null] },
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: true },
      },
      hooks: {
        draw: [(chart) => drawPane(chart, now(), pane, colours())],
        setCursor: [(chart) => this.#moved(chart.cursor.idx ?? null)],
      },
    };
  }

  #axisWidth(): number {
    const { history, written } = this.#shown as Shown;
    const ctx = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
    ctx.font = this.frame.palette.font;
    const widths = history.panes.flatMap((pane, i) =>
      ends(pane).map((value) => ctx.measureText((written[i]?.show ?? String)(value)).width),
    );
    return Math.ceil(Math.max(30, ...widths)) + 14;
  }

  #moved(index: number | null): void {
    if (index === this.#index) return;
    this.#index = index;
    this.#point(false);
  }

  #point(spoken: boolean): void {
    const { history, timezone } = this.#shown as Shown;
    const start = this.#index === null ? undefined : history.starts[this.#index];
    this.frame.point(start === undefined ? "" : slotLabel(start, timezone, "both"), this.#keys(), spoken);
  }

  #keys(): Key[] {
    const { history, written } = this.#shown as Shown;
    return history.panes.map((pane, i) => ({
      label: pane.label,
      tone: "fit",
      sign: "none",
      value: valueOf(
        pane,
        this.#index ?? history.starts.length - 1,
        written[i]?.show ?? String,
        this.#index !== null && i === 0,
      ),
    }));
  }

  #step(by: Step): void {
    const [chart] = this.#charts;
    const last = (this.#shown?.history.starts.length ?? 0) - 1;
    if (chart === undefined || last < 0) return;
    if (by === "none") return chart.setCursor({ left: -10, top: -10 });
    const to =
      by === "first" ? 0 : by === "last" ? last : Math.min(last, Math.max(0, (this.#index ?? last + 1) + (by.x ?? 0)));
    chart.setCursor({ left: chart.valToPos(to, "x"), top: 1 });
    this.#index = to;
    this.#point(true);
  }

  #picture(): HTMLCanvasElement | null {
    const pictures = this.#charts.map((chart) => chart.ctx.canvas);
    if (pictures[0] === undefined) return null;
    const whole = document.createElement("canvas");
    whole.width = pictures[0].width;
    whole.height = pictures.reduce((sum, picture) => sum + picture.height, 0);
    const ctx = whole.getContext("2d") as CanvasRenderingContext2D;
    let top = 0;
    for (const picture of pictures) {
      ctx.drawImage(picture, 0, top);
      top += picture.height;
    }
    return whole;
  }
}

function heights(panes: number, height: number): number[] {
  const unit = (height - X_AXIS) / (panes - 1 + FIRST_SHARE);
  return Array.from({ length: panes }, (_, i) =>
    Math.floor(unit * (i === 0 ? FIRST_SHARE : 1) + (i === panes - 1 ? X_AXIS : 0)),
  );
}

function dataOf({ history }: Shown, index: number): uPlot.AlignedData {
  const { open, high, low, close } = history.panes[index] as Pane;
  return [history.starts.map((_, slot) => slot), ...([open, high, low, close] as (number | null)[][])];
}

function ends({ high, low }: Pane): number[] {
  const known = [...high, ...low].filter((value) => value !== null);
  return known.length === 0 ? [0] : [Math.max(...known), Math.min(...known)];
}

function valueOf({ open, high, low, close }: Pane, slot: number, show: Show, isWhole: boolean): string {
  const parts = [open, high, low, close].map((column) => column[slot] ?? null);
  if (parts[3] == null) return "–";
  if (!isWhole) return show(parts[3]);
  return parts.map((part, i) => `${"OHLC"[i]} ${part === null ? "–" : show(part)}`).join(" ");
}

function labelledSlots({ history: { starts }, timezone }: Shown, chart: uPlot): number[] {
  const { min, max } = chart.scales.x ?? {};
  const room = Math.max(1, Math.floor(chart.bbox.width / devicePixelRatio / LABEL_ROOM));
  return wholeTimes(starts, [min ?? 0, max ?? 0], room, timezone);
}

// --- bars ----------------------------------------------------------------------------------

function drawPane(chart: uPlot, { history }: Shown, index: number, colours: Palette): void {
  const { ctx, bbox } = chart;
  const pixels = devicePixelRatio;
  const pane = history.panes[index] as Pane;
  ctx.save();
  ctx.font = chart.axes[0]?.font?.[0] ?? colours.font;
  ctx.fillStyle = colours.text;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  ctx.fillText(pane.label, bbox.left, bbox.top - 4 * pixels);
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colours.grid;
  ctx.lineWidth = pixels;
  ctx.setLineDash([4 * pixels, 4 * pixels]);
  for (const slot of history.breaks) {
    const x = chart.valToPos(slot - 0.5, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.setLineDash([]);
  drawBars(chart, pane, colours, pixels);
  ctx.restore();
}

/** Rising bars are hollow and falling ones filled, so that nothing hangs on the colour. */
function drawBars(chart: uPlot, { open, high, low, close }: Pane, colours: Palette, pixels: number): void {
  const { ctx } = chart;
  const slot = chart.valToPos(1, "x", true) - chart.valToPos(0, "x", true);
  const width = Math.max(pixels, Math.min(WIDEST_BAR * pixels, Math.round(slot * 0.68)));
  const isThin = width < 3 * pixels;
  const y = (value: number): number => chart.valToPos(value, "y", true);
  for (let i = 0; i < close.length; i += 1) {
    const [from, top, bottom, to] = [open[i], high[i], low[i], close[i]];
    if (from == null || top == null || bottom == null || to == null) continue;
    const x = Math.round(chart.valToPos(i, "x", true));
    ctx.strokeStyle = ctx.fillStyle = colours.tone(to >= from ? "up" : "down");
    ctx.lineWidth = pixels;
    ctx.beginPath();
    ctx.moveTo(x, y(top));
    // A bar of one value would not be seen.
    ctx.lineTo(x, Math.max(y(bottom), y(top) + pixels));
    ctx.stroke();
    if (isThin) continue;
    const [upper, lower] = [Math.min(y(from), y(to)), Math.max(y(from), y(to))];
    const height = Math.max(pixels, lower - upper);
    if (to >= from) {
      ctx.fillStyle = colours.ground;
      ctx.fillRect(x - width / 2, upper, width, height);
      ctx.strokeRect(x - width / 2, upper, width, height);
    } else ctx.fillRect(x - width / 2, upper, width, height);
  }
}
