/** Numbers as a market's readers write them. All pure; null is "–", never 0. */

export const MISSING = "–";

type Value = number | null | undefined;

/** How a product's market writes numbers. */
export interface Market {
  readonly currency: string;
  readonly timezone: string;
  /** Decimals that its prices are quoted with. */
  readonly decimals: number;
}

export const UNKNOWN_MARKET: Market = { currency: "INR", timezone: "Asia/Kolkata", decimals: 2 };

const SYMBOLS: Readonly<Record<string, string>> = { INR: "₹", USD: "$" };
const INDIAN: readonly [number, string][] = [
  [1e7, "Cr"],
  [1e5, "L"],
  [1e3, "k"],
];
const WESTERN: readonly [number, string][] = [
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
];

const formats = new Map<string, Intl.NumberFormat>();

/** A plain number with a fixed count of decimals, grouped as the market does: 12,34,567.00 or 1,234,567.00. */
export function decimal(value: Value, market: Market, decimals = market.decimals): string {
  if (!isNumber(value)) return MISSING;
  return withMinus(grouping(market, decimals).format(value));
}

/** A price, in points of the underlying or quote currency. */
export function price(value: Value, market: Market): string {
  return decimal(value, market);
}

/** A strike: decimals only where it has some. */
export function strike(value: Value, market: Market): string {
  return decimal(value, market, isNumber(value) && value % 1 !== 0 ? 2 : 0);
}

/** A change, always with its sign. */
export function signed(value: Value, market: Market, decimals = market.decimals): string {
  if (!isNumber(value)) return MISSING;
  const text = grouping(market, decimals).format(Math.abs(value));
  const isZero = !/[1-9]/.test(text);
  return `${isZero ? "" : value > 0 ? "+" : "−"}${text}`;
}

/** A large count in few characters: 12.3 L and 4.56 Cr, or 1.23 M. */
export function compact(value: Value, market: Market): string {
  if (!isNumber(value)) return MISSING;
  const size = Math.abs(value);
  const [unit, name] = (market.currency === "INR" ? INDIAN : WESTERN).find(([from]) => size >= from) ?? [1, ""];
  const scaled = size / unit;
  const digits = unit === 1 ? 0 : scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2;
  const text = grouping(market, digits).format(scaled);
  return `${value < 0 && /[1-9]/.test(text) ? "−" : ""}${text}${name ? ` ${name}` : ""}`;
}

/** The same with its sign. */
export function compactSigned(value: Value, market: Market): string {
  const text = compact(value, market);
  return isNumber(value) && value > 0 && text !== "0" ? `+${text}` : text;
}

export function money(value: Value, market: Market): string {
  if (!isNumber(value)) return MISSING;
  return `${value < 0 ? "−" : ""}${SYMBOLS[market.currency] ?? ""}${compact(Math.abs(value), market)}`;
}

/** An annual decimal as per cent: 0.1697 is 16.97 %. */
export function percent(value: Value, decimals = 2): string {
  return isNumber(value) ? `${withMinus((value * 100).toFixed(decimals))} %` : MISSING;
}

/** The same without its sign of per cent, for columns whose head has it. */
export function hundredfold(value: Value, decimals = 1): string {
  return isNumber(value) ? withMinus((value * 100).toFixed(decimals)) : MISSING;
}

/** A difference of annual decimals in vol points. */
export function volPoints(value: Value): string {
  if (!isNumber(value)) return MISSING;
  const text = (value * 100).toFixed(2);
  return `${value > 0 ? "+" : ""}${withMinus(text)} vp`;
}

export function ratio(value: Value, decimals = 2): string {
  return isNumber(value) ? withMinus(value.toFixed(decimals)) : MISSING;
}

/** How long ago: 0.4 s, 12 s, 3 min, 5 h, 2 d. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** A day as traders name it: 29 Dec, with the year where it is not this one. */
export function day(iso: string, today = new Date()): string {
  const date = new Date(`${iso}T00:00:00Z`);
  const year = date.getUTCFullYear() === today.getUTCFullYear() ? "" : ` ’${iso.slice(2, 4)}`;
  return `${date.getUTCDate()} ${date.toLocaleString("en-GB", { month: "short", timeZone: "UTC" })}${year}`;
}

/** Days left, from years to expiry: 29 d, or hours on the last day. */
export function left(years: number): string {
  const days = years * 365;
  return days >= 2 ? `${Math.floor(days)} d` : duration(days * 86_400_000);
}

/** A time of day at the exchange. */
export function clock(ms: number, timezone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeStyle: "medium", timeZone: timezone }).format(ms);
}

/** Day and time of day at the exchange. */
export function instant(ms: number, timezone: string): string {
  const options = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
  return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: timezone }).format(ms);
}

function isNumber(value: Value): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function grouping(market: Market, decimals: number): Intl.NumberFormat {
  const locale = market.currency === "INR" ? "en-IN" : "en-US";
  const key = `${locale} ${decimals}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(locale, { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    formats.set(key, format);
  }
  return format;
}

/** A minus as wide as a plus, and no minus before nothing. */
function withMinus(text: string): string {
  return text.startsWith("-") ? `${/[1-9]/.test(text) ? "−" : ""}${text.slice(1)}` : text;
}
