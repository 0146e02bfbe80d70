import { lazy } from "./lazy";

export const smile = lazy(
  { name: "smile", title: "Smile", scope: "expiry" },
  async () => (await import("./smile-figures")).mount,
);
