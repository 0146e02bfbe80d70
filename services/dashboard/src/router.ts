/** Addresses: `#/chain/NIFTY/2026-12-29?as_of=2026-11-30T09:00:00.000Z&columns=iv`. All pure. */

export interface Place {
  readonly view: string;
  readonly product?: string | undefined;
  readonly expiry?: string | undefined;
  /** UTC epoch milliseconds; undefined is the present. */
  readonly asOf?: number | undefined;
  /** What the reader chose within the view, by name; the view says what there is. */
  readonly choices?: Readonly<Record<string, string>> | undefined;
}

const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const AS_OF = "as_of";
const CHOICE = /^[a-z0-9_]{1,24}$/;
const CHOSEN = /^[A-Za-z0-9_.,-]{1,200}$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** What an address says, as far as it can be read: a word that is none of ours is left out, never passed on. */
export function parsePlace(hash: string, home: string): Place {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [view = "", product = "", expiry = ""] = path.split("/").map(decode);
  const parameters = new URLSearchParams(query);
  return {
    view: NAME.test(view) ? view : home,
    product: NAME.test(product) ? product.toUpperCase() : undefined,
    expiry: DAY.test(expiry) ? expiry : undefined,
    asOf: parseInstant(parameters.get(AS_OF)),
    choices: parseChoices(parameters),
  };
}

export function formatPlace({ view, product, expiry, asOf, choices = {} }: Place): string {
  const path = ["#", view, ...(product ? [product, ...(expiry ? [expiry] : [])] : [])].join("/");
  const query = [
    ...(asOf === undefined ? [] : [`${AS_OF}=${new Date(asOf).toISOString()}`]),
    ...Object.entries(choices).map(([name, value]) => `${name}=${value}`),
  ].join("&");
  return query === "" ? path : `${path}?${query}`;
}

/** `to` over `from`. Another product has other expiries, so without one of its own it begins at the nearest; another
 * view has other choices. */
export function moved(from: Place, to: Partial<Place>): Place {
  const leaves = to.product !== undefined && to.product !== from.product && to.expiry === undefined;
  const isElsewhere = to.view !== undefined && to.view !== from.view;
  return { ...from, ...(leaves ? { expiry: undefined } : {}), ...(isElsewhere ? { choices: undefined } : {}), ...to };
}

function parseChoices(parameters: URLSearchParams): Place["choices"] {
  const found = [...parameters].filter(([name, value]) => name !== AS_OF && CHOICE.test(name) && CHOSEN.test(value));
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

export function sameChoices(a: Place["choices"], b: Place["choices"]): boolean {
  const [of, other] = [Object.entries(a ?? {}), b ?? {}];
  return of.length === Object.keys(other).length && of.every(([name, value]) => other[name] === value);
}

function parseInstant(text: string | null): number | undefined {
  if (text === null || text === "") return undefined;
  const instant = /^\d{10,}$/.test(text) ? Number(text) : Date.parse(text);
  return Number.isFinite(instant) && instant > 0 ? instant : undefined;
}

function decode(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return "";
  }
}
