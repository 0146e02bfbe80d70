/** Every view, in the order of the navigation. One that is not in this table does not exist. */
import type { View } from "../view";
import { chain } from "./chain";
import { history } from "./history";
import { overview } from "./overview";
import { positioning } from "./positioning";
import { smile } from "./smile";
import { system } from "./system";

export const VIEWS: readonly View[] = [overview, chain, smile, positioning, history, system];
