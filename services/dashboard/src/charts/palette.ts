/** Colours of charts, from the style sheet: custom properties named after tones, which follow light and dark. */
import type { Tone } from "../model/figure";

const DARK = "(prefers-color-scheme: dark)";

export interface Palette {
  tone(tone: Tone): string;
  /** The tone of class `index`, for what has no order. */
  class(index: number): string;
  /** `share` from 0 to 1 along the scale of lightness. */
  scale(share: number): string;
  /** Ink that is read on `scale(share)`. */
  on(share: number): string;
  readonly grid: string;
  readonly text: string;
  readonly ground: string;
  readonly font: string;
}

/** Of single lightness order, and told apart with every kind of colour vision: stops of cividis (Nuñez et al. 2018). */
const CIVIDIS = [
  [0, 34, 78],
  [18, 53, 112],
  [59, 73, 108],
  [87, 93, 109],
  [112, 113, 115],
  [138, 134, 120],
  [165, 156, 116],
  [195, 179, 105],
  [225, 204, 85],
  [254, 232, 56],
] as const;

export function cividis(share: number): readonly [number, number, number] {
  const at = Math.min(1, Math.max(0, share)) * (CIVIDIS.length - 1);
  const low = Math.min(CIVIDIS.length - 2, Math.floor(at));
  const [a, b] = [CIVIDIS[low], CIVIDIS[low + 1]] as [(typeof CIVIDIS)[number], (typeof CIVIDIS)[number]];
  const mixed = a.map((part, i) => Math.round(part + ((b[i] as number) - part) * (at - low)));
  return mixed as unknown as readonly [number, number, number];
}

/** Read when first needed, and again once the system's preference changes. */
export function palette(element: HTMLElement): Palette {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    tone: (tone) => read(`--tone-${tone}`),
    class: (index) => read(`--class-${index}`),
    scale: (share) => `rgb(${cividis(share).join(" ")})`,
    on: (share) => (share > 0.55 ? "#10141c" : "#f4f6fa"),
    grid: read("--chart-grid"),
    text: read("--chart-text"),
    ground: read("--chart-ground"),
    font: read("--chart-font") || "11px system-ui, sans-serif",
  };
}

/** Calls `changed` when colours or pixels are others than before, until the returned function is called. */
export function onLook(changed: () => void): () => void {
  const ends = new AbortController();
  matchMedia(DARK).addEventListener("change", changed, { signal: ends.signal });
  const pixels = (): void => {
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener(
      "change",
      () => {
        changed();
        pixels();
      },
      { once: true, signal: ends.signal },
    );
  };
  pixels();
  return () => ends.abort();
}
