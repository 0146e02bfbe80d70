/** A small line of a value over time, as the path of an SVG. Pure. */

type Point = readonly [number, number];

/**
 * `points` are (instant, value), oldest first, over the instants of `range`, in a box of `width` by `height`. One pixel
 * is left above and below, and a value that never changed is a line in the middle.
 */
export function path(points: readonly Point[], range: Point, width: number, height: number): string {
  const [from, to] = range;
  const values = points.map(([, value]) => value);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const across = width / Math.max(1, to - from);
  const up = high > low ? (height - 2) / (high - low) : 0;
  const middle = high > low ? 0 : height / 2 - 1;
  return points
    .map(([at, value], turn) => {
      const x = round((at - from) * across);
      const y = round(height - 1 - middle - (value - low) * up);
      return `${turn === 0 ? "M" : "L"}${x} ${y}`;
    })
    .join("");
}

/** Where `value` lies in the box of those points, from its top; undefined outside of it. */
export function level(value: number, points: readonly Point[], height: number): number | undefined {
  const values = points.map(([, each]) => each);
  const low = Math.min(...values);
  const high = Math.max(...values);
  if (!(high > low) || value < low || value > high) return undefined;
  return round(height - 1 - ((value - low) / (high - low)) * (height - 2));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
