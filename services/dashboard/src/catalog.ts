/** Products and their expiries, asked once and kept for a while. */
import type { Api } from "./api";
import { type Market, UNKNOWN_MARKET } from "./format";
import type { Product } from "./messages";

const KEPT_MS = 60_000;

export class Catalog {
  readonly #api: Api;
  #products: Promise<Product[]> | undefined;
  #known: readonly Product[] = [];
  readonly #expiries = new Map<string, { at: number; found: Promise<string[]> }>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** Those that have data. */
  products(): Promise<Product[]> {
    this.#products ??= this.#api.get<{ products: Product[] }>("/products").then(
      ({ products }) => {
        this.#known = products;
        return products.filter((product) => product.has_data);
      },
      (error: unknown) => {
        this.#products = undefined;
        throw error;
      },
    );
    return this.#products;
  }

  /** That are not over, nearest first. */
  expiries(product: string): Promise<string[]> {
    const known = this.#expiries.get(product);
    if (known !== undefined && Date.now() - known.at < KEPT_MS) return known.found;
    const found = this.#api
      .get<{ expiries: { expiry: string; expired: boolean }[] }>(`/products/${product}/expiries`)
      .then(({ expiries }) => expiries.filter(({ expired }) => !expired).map(({ expiry }) => expiry));
    this.#expiries.set(product, { at: Date.now(), found });
    found.catch(() => this.#expiries.delete(product));
    return found;
  }

  /** Ask anew: products that had no data may have some. */
  forget(): void {
    this.#products = undefined;
    this.#expiries.clear();
  }

  /** How a product's numbers are written; `products` has to have been asked. */
  market(product: string | undefined): Market {
    const found = this.#known.find((each) => each.product === product);
    return found === undefined ? UNKNOWN_MARKET : { currency: found.currency, timezone: found.timezone, decimals: 2 };
  }
}
