import { lazy } from "./lazy";

export const history = lazy(
  { name: "history", title: "History", scope: "expiry" },
  async () => (await import("./history-figures")).mount,
);
