/** What was seen of the ledger since the view was opened: the platform keeps no history of its own state. Pure. */
import type { Status } from "../messages";

type Point = readonly [number, number];

const KEPT_MS = 600_000;

export class Recent {
  readonly #lags = new Map<string, Point[]>();

  add(status: Status): void {
    for (const [stream, lag] of Object.entries(status.stream_lag)) {
      const points = this.#lags.get(stream) ?? [];
      // The same status comes again with another freshness.
      if (points.at(-1)?.[0] === status.server_ts) continue;
      points.push([status.server_ts, lag]);
      while ((points[0]?.[0] ?? 0) < status.server_ts - KEPT_MS) points.shift();
      this.#lags.set(stream, points);
    }
  }

  /** Instants and lags of a stream, oldest first. */
  lags(stream: string): readonly Point[] {
    return this.#lags.get(stream) ?? [];
  }
}
