import { lazy } from "./lazy";

export const positioning = lazy(
  { name: "positioning", title: "Positioning", scope: "expiry" },
  async () => (await import("./positioning-figures")).mount,
);
