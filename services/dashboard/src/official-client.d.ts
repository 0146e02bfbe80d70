/** The official client, examples/option-aro-client.mjs: one file for everybody, this page included. */
declare module "option-aro-client" {
  export type Notice =
    | "connected" | "resumed" | "disconnected" | "rejected" | "hole" | "resync" | "draining" | "error" | "refused";

  export interface Problem {
    code?: string;
    detail?: string;
    reason?: string;
    channel?: string;
    retry_after?: number;
  }

  export interface Position {
    event: "snapshot" | "update" | "delta";
    epoch: string;
    seq: number;
    skipped: number | null;
  }

  export interface Options {
    delta?: boolean;
    encoding?: "deflate";
    max_rate_hz?: number;
  }

  export class Refused extends Error {
    constructor(problem: { code: string; detail: string });
    code: string;
  }

  export class OptionAro {
    constructor(
      io: unknown,
      options: {
        url: string;
        token: () => Promise<string>;
        onNotice: (name: Notice, payload: Problem) => void;
      },
    );
    subscribe(channels: string[], onState: (channel: string, state: unknown, at: Position) => void, options?: Options): void;
    unsubscribe(channels: string[]): void;
    start(): Promise<void>;
    close(): void;
  }
}
