/** What state data is in, in words. Pure. */
import { duration } from "./format";
import type { Freshness } from "./view";

/** In a word or two, for a badge. */
export const BADGES: Readonly<Record<Freshness, string>> = {
  loading: "loading",
  live: "live",
  stale: "stale",
  reconnecting: "reconnecting",
  resyncing: "resyncing",
  past: "past",
  absent: "no data",
};

/** In a sentence; undefined where nothing is wrong. `age` in milliseconds, if there is something that has one. */
export function trouble(freshness: Freshness, age: number | undefined, problem?: string): string | undefined {
  const old = age === undefined ? "" : ` What is shown is ${duration(age)} old.`;
  switch (freshness) {
    case "stale":
      return age === undefined ? "The feed is silent." : `The feed has been silent for ${duration(age)}.`;
    case "reconnecting":
      return `The connection is lost; connecting again.${old}`;
    case "resyncing":
      return `Messages were missed; waiting for the whole state.${old}`;
    case "absent":
      return problem === undefined ? "There is no data." : `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`;
    default:
      return undefined;
  }
}
