/** Questions to REST that are asked again whenever a channel has news, at the instant that is looked at. */
import { Problem, type Query } from "../api";
import type { Context, Reading } from "../view";

export interface Question {
  readonly path: string;
  readonly query?: Query;
  show(body: never): void;
  /** There is no answer, and why. `isPassing`: it will be asked again. */
  fail(words: string, isPassing: boolean): void;
}

/** No more often than that while live: each question costs the platform some computing. */
const PAUSE_MS = 2_000;
const TRY_AGAIN_MS = 5_000;

/**
 * Ask `questions` now and with the news of `channel`, until the view is unmounted. `element` says how good the channel
 * is, as all that follows it does.
 */
export function ask(
  context: Context,
  channel: string,
  questions: () => readonly Question[],
  element?: HTMLElement,
): void {
  let asked: AbortController | undefined;
  let waiting: ReturnType<typeof setTimeout> | undefined;
  let last = Number.NEGATIVE_INFINITY;
  let isBusy = false;

  async function round(): Promise<void> {
    waiting = undefined;
    if (context.signal.aborted) return;
    [last, isBusy] = [performance.now(), true];
    const turn = new AbortController();
    asked = turn;
    const asOf = context.asOf();
    const signal = AbortSignal.any([context.signal, turn.signal]);
    let isUnanswered = false;
    try {
      const failed = await Promise.all(questions().map((question) => put(context, question, asOf, signal)));
      isUnanswered = failed.some(Boolean);
    } finally {
      // Whatever one figure could not draw, the next news are asked about.
      if (asked === turn) isBusy = false;
    }
    if (asked === turn && isUnanswered) due(TRY_AGAIN_MS);
  }

  function due(pause: number): void {
    if (waiting !== undefined || isBusy || context.signal.aborted) return;
    waiting = setTimeout(() => void round(), Math.max(0, last + pause - performance.now()));
  }

  context.onTime(() => {
    // What was asked about another instant is not wanted any more.
    asked?.abort();
    clearTimeout(waiting);
    waiting = undefined;
    [last, isBusy] = [Number.NEGATIVE_INFINITY, false];
  });
  context.follow<unknown>(
    channel,
    ({ data, freshness, problem }: Reading<unknown>) => {
      if (element !== undefined) element.dataset.freshness = freshness;
      if (freshness === "past") {
        void round();
      } else if (freshness === "absent") {
        for (const question of questions()) question.fail(sentence(problem ?? "there is no data"), false);
      } else if (data !== undefined) due(PAUSE_MS);
    },
    { maxRateHz: 2 },
  );
  context.signal.addEventListener("abort", () => clearTimeout(waiting), { once: true });
}

/** True if it is worth asking again. */
async function put(
  context: Context,
  { path, query, show, fail }: Question,
  asOf: number | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    show(await context.api.get<never>(path, { ...query, as_of: asOf }, { signal }));
    return false;
  } catch (error) {
    if (signal.aborted) return false;
    if (!(error instanceof Problem)) throw error;
    const isPassing = error.status === 0 || error.status === 429 || error.status >= 500;
    fail(
      error.status === 404 && asOf !== undefined ? "Nothing is stored of that time." : sentence(error.message),
      isPassing,
    );
    return isPassing;
  }
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.!?]$/.test(words) ? "" : "."}`;
}
