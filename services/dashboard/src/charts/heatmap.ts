/** Cells in rows and columns, on a canvas of its own: a surface by expiry, or classes by strike. */
import type { TermName } from "../glossary";
import type { Matrix, Shade } from "../model/figure";
import { Frame, type Key, type Step } from "./frame";
import { every, placed } from "./labels";
import type { Palette } from "./palette";
import { scaled } from "./strokes";

const AXIS = { bottom: 38, right: 8, top: 20, gap: 8 };
const SCALE_WIDTH = 12;
const CELL_TEXT = { width: 29, height: 16 };

interface Layout {
  readonly left: number;
  readonly top: number;
  readonly cell: readonly [width: number, height: number];
  readonly columns: number;
  readonly rows: number;
}

export class HeatMap {
  readonly element: HTMLElement;
  readonly frame: Frame;
  readonly #canvas = document.createElement("canvas");
  #matrix: Matrix | undefined;
  #layout: Layout | undefined;
  #at: readonly [row: number, column: number] | null = null;

  constructor(title: string, name: string, term?: TermName) {
    this.frame = new Frame({
      title,
      name,
      term,
      draw: (width, height, palette) => this.#draw(width, height, palette),
      picture: () => (this.#matrix ? this.#canvas : null),
      step: (by) => this.#step(by),
    });
    this.element = this.frame.element;
    this.frame.ground.append(this.#canvas);
    this.#canvas.addEventListener("pointermove", (event) => this.#hover(event.offsetX, event.offsetY));
    this.#canvas.addEventListener("pointerleave", () => this.#move(null, false));
  }

  show(matrix: Matrix): void {
    this.#matrix = matrix;
    const [row, column] = this.#at ?? [0, 0];
    if (row >= matrix.rows.length || column >= matrix.xLabels.length) this.#at = null;
    this.frame.describe(matrix, this.#keys());
    this.#point(false);
    this.frame.draw();
  }

  destroy(): void {
    this.frame.destroy();
  }

  #hover(x: number, y: number): void {
    const layout = this.#layout;
    if (layout === undefined) return;
    const column = Math.floor((x - layout.left) / layout.cell[0]);
    const row = Math.floor((y - layout.top) / layout.cell[1]);
    const inside = row >= 0 && row < layout.rows && column >= 0 && column < layout.columns;
    this.#move(inside ? [row, column] : null, false);
  }

  #step(by: Step): void {
    const layout = this.#layout;
    if (layout === undefined) return;
    if (by === "none") return this.#move(null, true);
    const [row, column] = this.#at ?? [0, Math.floor(layout.columns / 2)];
    if (by === "first" || by === "last") return this.#move([row, by === "first" ? 0 : layout.columns - 1], true);
    const clamp = (value: number, count: number): number => Math.min(count - 1, Math.max(0, value));
    this.#move([clamp(row + (by.y ?? 0), layout.rows), clamp(column + (by.x ?? 0), layout.columns)], true);
  }

  #move(at: readonly [number, number] | null, spoken: boolean): void {
    if (at?.[0] === this.#at?.[0] && at?.[1] === this.#at?.[1]) return;
    this.#at = at;
    this.#point(spoken);
    this.frame.draw();
  }

  #point(spoken: boolean): void {
    const matrix = this.#matrix as Matrix;
    if (this.#at === null) return this.frame.point("", this.#keys(), spoken);
    const [row, column] = this.#at;
    const { label, cells } = matrix.rows[row] as Matrix["rows"][number];
    const faults = matrix.faults
      .filter((fault) => fault.row === row && fault.column === column)
      .map((fault) => fault.label);
    const words = [label, matrix.xLabels[column], shown(matrix.shade, cells[column] ?? null), ...faults];
    this.frame.point(words.join(" · "), this.#keys(), spoken);
  }

  #keys(): Key[] {
    const { shade, faults } = this.#matrix as Matrix;
    const broken: Key[] = faults.length === 0 ? [] : [{ label: "Arbitrage", tone: "bad", sign: "square" }];
    if (shade.kind === "scale") return broken;
    return [...shade.names.map((label, index): Key => ({ label, class: index, sign: "bar" })), ...broken];
  }

  #draw(width: number, height: number, palette: Palette): void {
    const matrix = this.#matrix;
    if (matrix === undefined) return;
    const pixels = devicePixelRatio;
    const canvas = this.#canvas;
    const size = [Math.round(width * pixels), Math.round(height * pixels)] as const;
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const ctx = canvas.getContext("2d") as CanvasRenderingContext2D;
    ctx.setTransform(pixels, 0, 0, pixels, 0, 0);
    ctx.clearRect(0, 0, width, height);
    ctx.font = scaled(palette.font, 1);
    this.#layout = layoutOf(ctx, matrix, width, height);
    drawCells(ctx, matrix, this.#layout, palette);
    drawAxes(ctx, matrix, this.#layout, palette, height);
    if (matrix.shade.kind === "scale") drawScale(ctx, matrix.shade, this.#layout, palette);
    if (this.#at === null) return;
    frameCell(ctx, this.#layout, this.#at, palette.ground, 4);
    frameCell(ctx, this.#layout, this.#at, palette.tone("ink"), 1.5);
  }
}

function shown(shade: Shade, value: number | null): string {
  if (value === null) return "–";
  return shade.kind === "scale" ? shade.show(value) : (shade.names[value] as string);
}

function layoutOf(
  ctx: CanvasRenderingContext2D,
  { rows, xLabels, shade, marks }: Matrix,
  width: number,
  height: number,
): Layout {
  const left = Math.ceil(Math.max(0, ...rows.map(({ label }) => ctx.measureText(label).width))) + AXIS.gap;
  const scale =
    shade.kind === "scale"
      ? SCALE_WIDTH +
        2 * AXIS.gap +
        Math.max(ctx.measureText(shade.show(shade.low)).width, ctx.measureText(shade.show(shade.high)).width)
      : 0;
  const top = marks.length > 0 ? AXIS.top : AXIS.gap;
  const room = [width - left - AXIS.right - scale, height - top - AXIS.bottom] as const;
  return {
    left,
    top,
    cell: [room[0] / Math.max(1, xLabels.length), room[1] / Math.max(1, rows.length)],
    columns: xLabels.length,
    rows: rows.length,
  };
}

function share({ low, high }: Extract<Shade, { kind: "scale" }>, value: number): number {
  return high === low ? 0.5 : (value - low) / (high - low);
}

function drawCells(ctx: CanvasRenderingContext2D, matrix: Matrix, layout: Layout, palette: Palette): void {
  const { shade } = matrix;
  const [width, height] = layout.cell;
  const hasText = shade.kind === "scale" && width >= CELL_TEXT.width && height >= CELL_TEXT.height;
  // Classes stand apart; a scale runs on without seams.
  const gap = shade.kind === "classes" ? Math.min(1.5, width * 0.15) : 0;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  matrix.rows.forEach(({ cells }, row) => {
    cells.forEach((value, column) => {
      const [x, y] = [layout.left + column * width, layout.top + row * height];
      if (value === null) {
        ctx.fillStyle = palette.grid;
        ctx.fillRect(x + width / 2 - 1, y + height / 2, 2, 1);
        return;
      }
      ctx.fillStyle = shade.kind === "scale" ? palette.scale(share(shade, value)) : palette.class(value);
      ctx.fillRect(x, y + 0.5, width - gap + (gap === 0 ? 0.6 : 0), height - 1);
      if (!hasText) return;
      ctx.fillStyle = palette.on(share(shade, value));
      ctx.fillText((value * 100).toFixed(1), x + width / 2, y + height / 2);
    });
  });
  for (const { row, column } of matrix.faults) {
    // Red alone would not be seen on the darkest cells.
    frameCell(ctx, layout, [row, column], palette.ground, 5);
    frameCell(ctx, layout, [row, column], palette.tone("bad"), 2.5);
  }
}

function frameCell(
  ctx: CanvasRenderingContext2D,
  { left, top, cell: [width, height] }: Layout,
  [row, column]: readonly [number, number],
  colour: string,
  line: number,
): void {
  ctx.strokeStyle = colour;
  ctx.lineWidth = line;
  ctx.strokeRect(left + column * width, top + row * height + 1, width, height - 2);
}

function drawAxes(
  ctx: CanvasRenderingContext2D,
  { rows, xLabels, xTitle, marks }: Matrix,
  layout: Layout,
  palette: Palette,
  height: number,
): void {
  const [width, rowHeight] = layout.cell;
  const bottom = layout.top + layout.rows * rowHeight;
  ctx.fillStyle = palette.text;
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  rows.forEach(({ label }, row) => ctx.fillText(label, layout.left - AXIS.gap, layout.top + (row + 0.5) * rowHeight));
  ctx.textAlign = "center";
  const widest = Math.max(0, ...xLabels.map((label) => ctx.measureText(label).width));
  const nth = every(xLabels.length, widest, layout.columns * width);
  const room = layout.left + layout.columns * width;
  // Counted from the marked column, so that the middle always has its label.
  const origin = marks[0]?.column ?? 0;
  xLabels.forEach((label, column) => {
    const x = layout.left + (column + 0.5) * width;
    if ((column - origin) % nth !== 0 || x - widest / 2 < layout.left - AXIS.gap || x + widest / 2 > room + AXIS.gap)
      return;
    ctx.fillText(label, x, bottom + 10);
  });
  ctx.fillText(xTitle, layout.left + (layout.columns * width) / 2, height - 8);
  ctx.textAlign = "left";
  const wide = marks.map(({ column, label }) => ({ at: (column + 0.5) * width, width: ctx.measureText(label).width }));
  placed(wide, layout.columns * width).forEach(({ left }, i) => {
    const x = layout.left + ((marks[i] as { column: number }).column + 0.5) * width;
    ctx.fillRect(x - 0.5, layout.top - 5, 1, 5);
    ctx.fillText((marks[i] as { label: string }).label, layout.left + left, layout.top - 12);
  });
}

function drawScale(
  ctx: CanvasRenderingContext2D,
  shade: Extract<Shade, { kind: "scale" }>,
  layout: Layout,
  palette: Palette,
): void {
  const x = layout.left + layout.columns * layout.cell[0] + AXIS.gap;
  const height = layout.rows * layout.cell[1];
  for (let y = 0; y < height; y += 1) {
    ctx.fillStyle = palette.scale(1 - y / height);
    ctx.fillRect(x, layout.top + y, SCALE_WIDTH, 1.5);
  }
  ctx.fillStyle = palette.text;
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  ctx.fillText(shade.show(shade.high), x + SCALE_WIDTH + AXIS.gap / 2, layout.top);
  ctx.textBaseline = "bottom";
  ctx.fillText(shade.show(shade.low), x + SCALE_WIDTH + AXIS.gap / 2, layout.top + height);
}
