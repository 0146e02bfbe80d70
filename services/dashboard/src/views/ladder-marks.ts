/** What is marked at which strike. Pure. */
import type { TermName } from "../glossary";
import type { Chain, Metrics } from "../messages";

export interface Mark {
  readonly text: string;
  readonly title: string;
  readonly term?: TermName;
}

/** Index of the strike nearest `value`, the lower one on a tie; undefined for a value that is none or far outside. */
export function nearest(strikes: readonly number[], value: number | null | undefined): number | undefined {
  if (value === null || value === undefined || strikes.length === 0) return undefined;
  let best = 0;
  for (let turn = 1; turn < strikes.length; turn += 1) {
    if (Math.abs((strikes[turn] as number) - value) < Math.abs((strikes[best] as number) - value)) best = turn;
  }
  const step = strikes.length > 1 ? Math.abs((strikes[1] as number) - (strikes[0] as number)) : Number.POSITIVE_INFINITY;
  return Math.abs((strikes[best] as number) - value) <= step ? best : undefined;
}

/** By index of the strike. Walls are those of the metrics of the same expiry. */
export function marks(chain: Chain, metrics: Metrics | undefined): ReadonlyMap<number, readonly Mark[]> {
  const found = new Map<number, Mark[]>();
  const put = (at: number | null | undefined, mark: Mark) => {
    const index = nearest(chain.strikes, at);
    if (index !== undefined) found.set(index, [...(found.get(index) ?? []), mark]);
  };
  if (metrics !== undefined) {
    put(metrics.max_pain, { text: "max pain", title: "max pain", term: "max_pain" });
    put(metrics.call_wall, { text: "call wall", title: "most gamma exposure of calls", term: "call_wall" });
    put(metrics.put_wall, { text: "put wall", title: "most gamma exposure of puts", term: "put_wall" });
    const band = expectedMove(metrics);
    if (band !== undefined) {
      put(band[0], { text: "−1σ", title: "lower end of the expected move", term: "expected_move_1sd" });
      put(band[1], { text: "+1σ", title: "upper end of the expected move", term: "expected_move_1sd" });
    }
  }
  return found;
}

/** Lower and upper end of one standard deviation around the forward. */
export function expectedMove(metrics: Metrics): readonly [number, number] | undefined {
  const { forward, expected_move_1sd: move } = metrics;
  return forward === null || move === null ? undefined : [forward - move, forward + move];
}

/** Index of the strike at the money: the platform's own, which is nearest the forward. */
export function atTheMoney(chain: Chain): number | undefined {
  return nearest(chain.strikes, chain.atm_strike ?? chain.forward ?? chain.spot);
}
