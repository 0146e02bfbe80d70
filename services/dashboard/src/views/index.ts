/** Every view, in the order of the navigation. One that is not in this table does not exist. */
import type { View } from "../view";
import { chain } from "./chain";
import { overview } from "./overview";
import { system } from "./system";

export const VIEWS: readonly View[] = [overview, chain, system];
