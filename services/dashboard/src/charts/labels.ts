/** Where words go so that none covers another. Pure. */

export interface Wide {
  /** Where its middle would best be. */
  readonly at: number;
  readonly width: number;
}

export interface Placed {
  readonly left: number;
  readonly row: number;
}

const GAP = 8;

/** Each label within 0 to `room`, in the first row in which it touches none before it. */
export function placed(labels: readonly Wide[], room: number): Placed[] {
  const rows: { left: number; right: number }[][] = [];
  const places: Placed[] = new Array(labels.length);
  const order = labels.map((_, index) => index).sort((a, b) => (labels[a] as Wide).at - (labels[b] as Wide).at);
  for (const index of order) {
    const { at, width } = labels[index] as Wide;
    const left = Math.max(0, Math.min(at - width / 2, room - width));
    const free = (row: { left: number; right: number }[]): boolean =>
      row.every((other) => left >= other.right + GAP || left + width + GAP <= other.left);
    let row = rows.findIndex(free);
    if (row < 0) row = rows.push([]) - 1;
    (rows[row] as { left: number; right: number }[]).push({ left, right: left + width });
    places[index] = { left, row };
  }
  return places;
}

/** Every how-manyth of `count` labels of `width` has room. */
export function every(count: number, width: number, room: number): number {
  return Math.max(1, Math.ceil((count * (width + GAP)) / Math.max(1, room)));
}
