/** The page's formats, bound to one market. */
import * as format from "../format";
import type { Show } from "./figure";

export interface Formats {
  readonly price: Show;
  readonly strike: Show;
  /** An annual decimal as per cent. */
  readonly vol: Show;
  /** A difference of two of them in vol points, with its sign. */
  readonly volPoints: Show;
  /** An error of volatility in vol points. */
  readonly error: Show;
  readonly ratio: Show;
  readonly count: Show;
  /** Of contracts, short where large. */
  readonly compact: Show;
  readonly change: Show;
  /** In quote currency, short where large. */
  readonly money: Show;
  readonly share: Show;
  /** `2026-12-29` as on a label. */
  /** Of a price on an axis. */
  readonly priceTick: Tick;
  day(expiry: string): string;
  time(ms: number): string;
  clock(ms: number): string;
}

export function formatsOf(market: format.Market): Formats {
  return {
    price: (value) => format.price(value, market),
    strike: (value) => format.strike(value, market),
    vol: (value) => format.percent(value),
    volPoints: (value) => format.volPoints(value),
    error: (value) => `${(value * 100).toFixed(4)} vp`,
    ratio: (value) => format.ratio(value),
    count: (value) => format.decimal(value, market, 0),
    compact: (value) => format.compact(value, market),
    change: (value) => format.compactSigned(value, market),
    money: (value) => format.money(value, market),
    share: (value) => format.percent(value, 0),
    priceTick: priceTick(market),
    day: (expiry) => format.day(expiry),
    clock: (ms) => format.clock(ms, market.timezone),
    time: (ms) => format.instant(ms, market.timezone),
  };
}

/** Numbers on an axis, with as many decimals as ticks `step` apart need. */
export type Tick = (value: number, step: number) => string;

export const volTick: Tick = (value, step) => format.percent(value, decimals(step * 100));

export const plainTick: Tick = (value, step) => format.ratio(value, decimals(step));

export const priceTick =
  (market: format.Market): Tick =>
  (value, step) =>
    format.decimal(value, market, decimals(step));

/** Short numbers are round on an axis: 20 k, not 20.0 k. */
export const short =
  (show: Show): Tick =>
  (value) =>
    show(value).replace(/\.(\d*?)0+(?=\D|$)/, (_, digits: string) => (digits === "" ? "" : `.${digits}`));

/** The fewest with which multiples of `step` are written in full. */
function decimals(step: number): number {
  const whole = [0, 1, 2, 3, 4, 5].find((count) => {
    const scaled = step * 10 ** count;
    return Math.round(scaled) >= 1 && Math.abs(scaled - Math.round(scaled)) < 1e-6;
  });
  return whole ?? 6;
}
