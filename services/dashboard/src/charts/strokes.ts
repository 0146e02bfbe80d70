/** Marks on a canvas, in its own pixels: `pixels` of them are one of CSS. */
import type { Shape } from "../model/figure";

type Ink = CanvasRenderingContext2D;
type Point = readonly [x: number, y: number];

/** Words that lines pass behind. */
export function haloed(ctx: Ink, label: string, x: number, y: number, ground: string, pixels: number): void {
  ctx.lineWidth = 4 * pixels;
  ctx.lineJoin = "round";
  ctx.strokeStyle = ground;
  ctx.strokeText(label, x, y);
  ctx.fillText(label, x, y);
}

export function line(ctx: Ink, from: Point, to: Point, colour: string, width: number, dash: number[]): void {
  ctx.beginPath();
  ctx.strokeStyle = colour;
  ctx.lineWidth = width;
  ctx.setLineDash(dash);
  ctx.moveTo(...from);
  ctx.lineTo(...to);
  ctx.stroke();
  ctx.setLineDash([]);
}

export function whisker(ctx: Ink, low: Point, high: Point, pixels: number): void {
  ctx.beginPath();
  ctx.globalAlpha = 0.55;
  ctx.lineWidth = 1.4 * pixels;
  ctx.moveTo(...low);
  ctx.lineTo(...high);
  ctx.stroke();
  ctx.globalAlpha = 1;
  tick(ctx, low, pixels);
  tick(ctx, high, pixels);
}

export function tick(ctx: Ink, [x, y]: Point, pixels: number): void {
  ctx.beginPath();
  ctx.lineWidth = 1.4 * pixels;
  ctx.moveTo(x - 2.5 * pixels, y);
  ctx.lineTo(x + 2.5 * pixels, y);
  ctx.stroke();
}

export function point(ctx: Ink, [x, y]: Point, shape: Shape, size: number, inside: string | null): void {
  ctx.beginPath();
  ctx.lineWidth = Math.max(1, size * 0.45);
  if (shape === "cross") {
    ctx.moveTo(x - size, y - size);
    ctx.lineTo(x + size, y + size);
    ctx.moveTo(x - size, y + size);
    ctx.lineTo(x + size, y - size);
    ctx.stroke();
    return;
  }
  if (shape === "round") ctx.arc(x, y, size, 0, 2 * Math.PI);
  else if (shape === "square") ctx.rect(x - size, y - size, 2 * size, 2 * size);
  else {
    ctx.moveTo(x, y - size * 1.3);
    ctx.lineTo(x + size * 1.3, y);
    ctx.lineTo(x, y + size * 1.3);
    ctx.lineTo(x - size * 1.3, y);
    ctx.closePath();
  }
  if (inside === null) ctx.fill();
  else {
    const colour = ctx.fillStyle;
    ctx.fillStyle = inside;
    ctx.fill();
    ctx.fillStyle = colour;
    ctx.stroke();
  }
}

/** The font of so many CSS pixels in canvas pixels. */
export const scaled = (font: string, pixels: number): string =>
  font.replace(/([\d.]+)px/, (_, size) => `${Number(size) * pixels}px`);
