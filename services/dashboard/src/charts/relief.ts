/** A surface in relief: the heat map's cells at the height of their value, turned by dragging or by arrow keys. */
import type { TermName } from "../glossary";
import type { Matrix } from "../model/figure";
import { Frame, type Step } from "./frame";
import { every } from "./labels";
import type { Palette } from "./palette";
import { scaled } from "./strokes";

type Point = readonly [x: number, y: number, depth: number];
type Corner = readonly [row: number, column: number];

const HOME = { yaw: -0.62, pitch: 0.52 };
const PITCH = { least: 0.12, most: 1.35 };
const TURN = { key: 0.12, pixel: 0.008 };
const HEIGHT = 0.7;
/** Expiries are few and points many: rows stand further apart, or the surface would be a ribbon. */
const DEPTH = 0.8;
const PADDING = { side: 46, top: 14, bottom: 30 };

export class Relief {
  readonly element: HTMLElement;
  readonly frame: Frame;
  readonly #canvas = document.createElement("canvas");
  #matrix: Matrix | undefined;
  #view = { ...HOME };

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
    this.frame.ground.classList.add("is-turned");
    this.#canvas.addEventListener("pointerdown", (event) => this.#canvas.setPointerCapture(event.pointerId));
    this.#canvas.addEventListener("pointermove", (event) => {
      if (!this.#canvas.hasPointerCapture(event.pointerId)) return;
      this.#turn(event.movementX * TURN.pixel, event.movementY * TURN.pixel);
    });
  }

  show(matrix: Matrix): void {
    this.#matrix = matrix;
    this.frame.describe(matrix, matrix.faults.length > 0 ? [{ label: "Arbitrage", tone: "bad", sign: "square" }] : []);
    this.frame.draw();
  }

  destroy(): void {
    this.frame.destroy();
  }

  #step(by: Step): void {
    if (typeof by === "object") return this.#turn((by.x ?? 0) * TURN.key, (by.y ?? 0) * TURN.key);
    this.#view = { ...HOME };
    this.frame.draw();
  }

  #turn(yaw: number, pitch: number): void {
    this.#view = {
      yaw: this.#view.yaw + yaw,
      pitch: Math.min(PITCH.most, Math.max(PITCH.least, this.#view.pitch + pitch)),
    };
    this.frame.draw();
  }

  #draw(width: number, height: number, palette: Palette): void {
    const matrix = this.#matrix;
    if (matrix === undefined || matrix.shade.kind !== "scale") return;
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
    const place = placer(matrix, this.#view, width, height);
    drawFloor(ctx, matrix, place, palette);
    drawFaces(ctx, matrix, place, palette);
    drawLabels(ctx, matrix, place, palette, [width, height]);
  }
}

type Place = (row: number, column: number, value: number | null) => Point;

/** From rows, columns and values to the picture: turned, tilted, and as large as there is room. */
function placer({ rows, xLabels, shade }: Matrix, { yaw, pitch }: typeof HOME, width: number, height: number): Place {
  const { low, high } = shade as Extract<Matrix["shade"], { kind: "scale" }>;
  const unit = (index: number, count: number): number => (count < 2 ? 0 : (2 * index) / (count - 1) - 1);
  const [sinYaw, cosYaw, sinPitch, cosPitch] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  const raw = (row: number, column: number, value: number | null): Point => {
    const [x, y] = [unit(column, xLabels.length), unit(row, rows.length) * DEPTH];
    const z = value === null ? -HEIGHT : HEIGHT * (high === low ? 0 : (2 * (value - low)) / (high - low) - 1);
    const depth = x * sinYaw + y * cosYaw;
    return [x * cosYaw - y * sinYaw, -z * cosPitch - depth * sinPitch, depth * cosPitch - z * sinPitch];
  };
  const points = [
    ...[0, rows.length - 1].flatMap((row) => [raw(row, 0, null), raw(row, xLabels.length - 1, null)]),
    ...rows.flatMap(({ cells }, row) =>
      cells.flatMap((value, column) => (value === null ? [] : [raw(row, column, value)])),
    ),
  ];
  const ends = (part: 0 | 1): [number, number] => [
    Math.min(...points.map((point) => point[part])),
    Math.max(...points.map((point) => point[part])),
  ];
  const [[left, right], [top, bottom]] = [ends(0), ends(1)];
  const scale = Math.min(
    (width - 2 * PADDING.side) / (right - left),
    (height - PADDING.top - PADDING.bottom) / (bottom - top),
  );
  const [x0, y0] = [
    width / 2 - ((left + right) / 2) * scale,
    PADDING.top + (height - PADDING.top - PADDING.bottom) / 2 - ((top + bottom) / 2) * scale,
  ];
  return (row, column, value) => {
    const [x, y, depth] = raw(row, column, value);
    return [x0 + x * scale, y0 + y * scale, depth];
  };
}

const QUAD: readonly Corner[] = [
  [0, 0],
  [0, 1],
  [1, 1],
  [1, 0],
];

/** The furthest first, so that nearer ones cover them. */
function drawFaces(ctx: CanvasRenderingContext2D, matrix: Matrix, place: Place, palette: Palette): void {
  const { low, high } = matrix.shade as Extract<Matrix["shade"], { kind: "scale" }>;
  const faces: { points: Point[]; share: number; depth: number; isBroken: boolean }[] = [];
  for (let row = 0; row + 1 < matrix.rows.length; row += 1) {
    for (let column = 0; column + 1 < matrix.xLabels.length; column += 1) {
      const corners = QUAD.map(
        ([r, c]) => [row + r, column + c, matrix.rows[row + r]?.cells[column + c] ?? null] as const,
      );
      if (corners.some(([, , value]) => value === null)) continue;
      const points = corners.map(([r, c, value]) => place(r, c, value));
      const mean = corners.reduce((sum, [, , value]) => sum + (value as number), 0) / corners.length;
      faces.push({
        points,
        share: high === low ? 0.5 : (mean - low) / (high - low),
        depth: points.reduce((sum, point) => sum + point[2], 0) / points.length,
        isBroken: matrix.faults.some((fault) => corners.some(([r, c]) => fault.row === r && fault.column === c)),
      });
    }
  }
  faces.sort((a, b) => b.depth - a.depth);
  for (const { points, share, isBroken } of faces) {
    trace(ctx, points);
    ctx.fillStyle = palette.scale(share);
    ctx.fill();
    ctx.strokeStyle = isBroken ? palette.tone("bad") : palette.text;
    ctx.globalAlpha = isBroken ? 1 : 0.45;
    ctx.lineWidth = isBroken ? 2 : 0.5;
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
}

function drawFloor(ctx: CanvasRenderingContext2D, { rows, xLabels }: Matrix, place: Place, palette: Palette): void {
  const [last, end] = [rows.length - 1, xLabels.length - 1];
  trace(ctx, [place(0, 0, null), place(0, end, null), place(last, end, null), place(last, 0, null)]);
  ctx.strokeStyle = palette.grid;
  ctx.lineWidth = 1;
  ctx.stroke();
}

/** Expiries along one edge of the floor, points along the nearer one. */
function drawLabels(
  ctx: CanvasRenderingContext2D,
  { rows, xLabels }: Matrix,
  place: Place,
  palette: Palette,
  [width, height]: readonly [number, number],
): void {
  const [last, end] = [rows.length - 1, xLabels.length - 1];
  ctx.fillStyle = palette.text;
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  const edge = place(0, 0, null)[2] < place(last, 0, null)[2] ? 0 : last;
  const [from, to] = [place(edge, 0, null), place(edge, end, null)];
  const widest = Math.max(...xLabels.map((label) => ctx.measureText(label).width));
  const nth = every(xLabels.length, widest, Math.max(40, Math.abs(to[0] - from[0])));
  xLabels.forEach((label, column) => {
    if (column % nth !== 0) return;
    const [x, y] = place(edge, column, null);
    write(ctx, label, x, y + 14, width, height);
  });
  const side =
    place(0, 0, null)[0] < place(0, end, null)[0] === place(edge, 0, null)[2] < place(edge, end, null)[2] ? 0 : end;
  const outwards = place(0, side, null)[0] < place(0, end - side, null)[0] ? -1 : 1;
  rows.forEach(({ label }, row) => {
    const [x, y] = place(row, side, null);
    const half = ctx.measureText(label).width / 2;
    write(ctx, label, x + outwards * (half + 8), y, width, height);
  });
}

function write(
  ctx: CanvasRenderingContext2D,
  label: string,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  const half = ctx.measureText(label).width / 2 + 2;
  ctx.fillText(label, Math.min(width - half, Math.max(half, x)), Math.min(height - 8, Math.max(8, y)));
}

function trace(ctx: CanvasRenderingContext2D, points: readonly Point[]): void {
  ctx.beginPath();
  points.forEach(([x, y], i) => (i === 0 ? ctx.moveTo(x, y) : ctx.lineTo(x, y)));
  ctx.closePath();
}
