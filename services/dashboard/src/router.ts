/** Addresses: `#/chain/NIFTY/2026-12-29?as_of=2026-11-30T09:00:00.000Z`. All pure. */

export interface Place {
  readonly view: string;
  readonly product?: string | undefined;
  readonly expiry?: string | undefined;
  /** UTC epoch milliseconds; undefined is the present. */
  readonly asOf?: number | undefined;
}

const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** What an address says, as far as it can be read: a word that is none of ours is left out, never passed on. */
export function parsePlace(hash: string, home: string): Place {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [view = "", product = "", expiry = ""] = path.split("/").map(decode);
  return {
    view: NAME.test(view) ? view : home,
    product: NAME.test(product) ? product.toUpperCase() : undefined,
    expiry: DAY.test(expiry) ? expiry : undefined,
    asOf: parseInstant(new URLSearchParams(query).get("as_of")),
  };
}

export function formatPlace({ view, product, expiry, asOf }: Place): string {
  const path = ["#", view, ...(product ? [product, ...(expiry ? [expiry] : [])] : [])].join("/");
  return asOf === undefined ? path : `${path}?as_of=${new Date(asOf).toISOString()}`;
}

/** `to` over `from`. Another product has other expiries, so without one of its own it begins at the nearest. */
export function moved(from: Place, to: Partial<Place>): Place {
  const leaves = to.product !== undefined && to.product !== from.product && to.expiry === undefined;
  return { ...from, ...(leaves ? { expiry: undefined } : {}), ...to };
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
