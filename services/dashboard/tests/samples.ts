/** Payloads as a platform with the synthetic feed gave them, and how their market writes numbers. */
import { readFileSync } from "node:fs";

import { formatsOf } from "../src/model/formats";

export const formats = formatsOf({ currency: "INR", timezone: "Asia/Kolkata", decimals: 2 });

export const sample = <Body>(name: string): Body => JSON.parse(readFileSync(`tests/samples/${name}.json`, "utf8")) as Body;
