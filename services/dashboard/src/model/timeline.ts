/** Labels of slots of time, at the exchange. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 1_440 * MINUTE_MS;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1_440, 2_880, 10_080, 20_160].map(
  (minutes) => minutes * MINUTE_MS,
);
/** Of the room of a label, how close the next one may begin. */
const CLOSEST = 0.8;

const offsets = new Map<string, number>();
const clocks = new Map<string, Intl.DateTimeFormat>();

/** When the slot began, at the exchange: the day where `days`, else the time of day. */
export function slotLabel(start: number, timezone: string, form: "day" | "time" | "both"): string {
  const key = `${form} ${timezone}`;
  const known = clocks.get(key);
  if (known !== undefined) return known.format(start);
  const options: Intl.DateTimeFormatOptions = {
    ...(form === "time" ? {} : { day: "numeric", month: "short" }),
    ...(form === "day" ? {} : { hour: "2-digit", minute: "2-digit" }),
  };
  const made = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: timezone });
  clocks.set(key, made);
  return made.format(start);
}

/** Those slots between two that begin a whole number of minutes, hours or days: as many as there is `room` for. */
export function wholeTimes(
  starts: readonly number[],
  [low, high]: readonly [number, number],
  room: number,
  timezone: string,
): number[] {
  const [from, to] = [Math.max(0, Math.ceil(low)), Math.min(starts.length - 1, Math.floor(high))];
  if (to < from) return [];
  const apart = (to - from + 1) / room;
  const step = STEPS.find((candidate) => candidate >= apart * width(starts)) ?? (STEPS.at(-1) as number);
  const found: number[] = [];
  let last: number | undefined;
  for (let slot = from; slot <= to; slot += 1) {
    const start = starts[slot] as number;
    const part = Math.floor((start + ahead(start, timezone)) / step);
    const isFree = slot - (found.at(-1) ?? Number.NEGATIVE_INFINITY) >= Math.ceil(apart) * CLOSEST;
    if (last !== undefined && part !== last && isFree) found.push(slot);
    last = part;
  }
  return found.length > 0 ? found : [Math.floor((from + to) / 2)];
}

/** The time, and below it the day wherever it is another than at the label before. */
export function labels(starts: readonly number[], slots: readonly number[], timezone: string): string[] {
  let before = "";
  return slots.map((slot) => {
    const start = starts[slot];
    if (start === undefined) return "";
    const day = slotLabel(start, timezone, "day");
    if (width(starts) >= DAY_MS * 0.8) return day;
    const time = slotLabel(start, timezone, "time");
    const text = day === before ? time : `${time}\n${day}`;
    before = day;
    return text;
  });
}

/** What the clock of `timezone` is ahead of UTC, in milliseconds. */
function ahead(at: number, timezone: string): number {
  // Clocks change at whole hours, and a day of minutes asks this often.
  const key = `${Math.floor(at / HOUR_MS)} ${timezone}`;
  const known = offsets.get(key);
  if (known !== undefined) return known;
  const [hours = 0, minutes = 0] = slotLabel(at, timezone, "time").split(":").map(Number);
  const difference = hours * 60 + minutes - Math.floor((at % DAY_MS) / MINUTE_MS);
  // Between half a day behind and half a day ahead.
  const offset = (((((difference + 720) % 1_440) + 1_440) % 1_440) - 720) * MINUTE_MS;
  offsets.set(key, offset);
  return offset;
}

/** Of one slot, in milliseconds: the least distance of two. */
function width(starts: readonly number[]): number {
  const least = Math.min(...starts.slice(1, 50).map((start, i) => start - (starts[i] as number)));
  return Number.isFinite(least) ? least : MINUTE_MS;
}
