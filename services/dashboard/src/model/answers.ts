/** What /api/v1/analytics and /api/v1/ohlc answer: only what the charts read. Meanings: /openapi.json. */
import type { Column } from "../messages";

export interface SmileSide {
  readonly iv: Column;
  readonly bid_iv: Column;
  readonly ask_iv: Column;
  readonly delta: Column;
}

export interface SmileAnswer {
  readonly product: string;
  readonly expiry: string;
  readonly source_ts: number;
  readonly spot: number;
  readonly forward: number | null;
  readonly iv_atm: number | null;
  readonly rr25: number | null;
  readonly bf25: number | null;
  readonly skew_25d_norm: number | null;
  readonly strikes: readonly number[];
  readonly moneyness: Column;
  readonly calls: SmileSide;
  readonly puts: SmileSide;
  readonly used: readonly boolean[];
  readonly fit: {
    readonly points: number;
    readonly rmse: number;
    readonly g_min: number;
    readonly k_low: number;
    readonly k_high: number;
  } | null;
  readonly fitted_iv: Column;
}

export interface SurfaceGrid {
  readonly axis: "strike" | "moneyness" | "delta";
  readonly points: readonly number[];
  readonly rows: readonly {
    readonly expiry: string;
    readonly dte_years: number;
    readonly forward: number;
    readonly iv: Column;
  }[];
}

export interface Violation {
  readonly kind: "butterfly" | "calendar" | "vertical";
  readonly expiry: string;
  readonly moneyness: number;
  readonly depth: number;
  readonly quoted: boolean;
  readonly tradable: boolean;
}

export interface SurfaceAnswer {
  readonly product: string;
  readonly model: "svi" | "svi_repaired" | "ssvi";
  readonly source_ts: number;
  readonly violations: readonly Violation[];
  readonly violation_count: number;
  readonly grid?: SurfaceGrid;
}

export interface TermAnswer {
  readonly product: string;
  readonly source_ts: number;
  readonly expiries: readonly {
    readonly expiry: string;
    readonly dte_years: number;
    readonly forward: number;
    readonly iv_atm: number | null;
    readonly forward_iv: number | null;
    readonly rr25: number | null;
    readonly bf25: number | null;
  }[];
  readonly constant_maturity: readonly { readonly days: number; readonly iv: number | null }[];
}

interface OiSide {
  readonly open_interest: Column;
  readonly open_interest_before: Column;
  readonly open_interest_change: Column;
}

export interface OiAnswer {
  readonly product: string;
  readonly expiry: string;
  readonly source_ts: number;
  readonly basis: string;
  readonly from_ts: number | null;
  readonly strikes: readonly number[];
  readonly calls: OiSide;
  readonly puts: OiSide;
  readonly call_open_interest_change: number | null;
  readonly put_open_interest_change: number | null;
}

export const BUILDUPS = ["long_buildup", "short_covering", "short_buildup", "long_unwinding", "neutral"] as const;
export type Buildup = (typeof BUILDUPS)[number];

interface BuildupSide {
  readonly price_change: Column;
  readonly open_interest_change: Column;
  readonly buildup: readonly (Buildup | null)[];
  readonly shares: Readonly<Record<string, number>> | null;
}

export interface BuildupAnswer {
  readonly product: string;
  readonly expiry: string;
  readonly source_ts: number;
  readonly strikes: readonly number[];
  readonly calls: BuildupSide;
  readonly puts: BuildupSide;
}

export interface GexAnswer {
  readonly product: string;
  readonly source_ts: number;
  readonly expiries: readonly string[];
  readonly sign_model: "naive" | "all_short";
  readonly spot: number;
  readonly gex_net: number | null;
  readonly gamma_density: number | null;
  readonly gex_flip: number | null;
  readonly call_wall: number | null;
  readonly put_wall: number | null;
  readonly strikes: readonly number[];
  readonly call_gex: Column;
  readonly put_gex: Column;
  readonly net_gex: Column;
  readonly spots: readonly number[];
  readonly gex_by_spot: Column;
}

export interface MaxPainAnswer {
  readonly product: string;
  readonly expiry: string;
  readonly source_ts: number;
  readonly spot: number;
  readonly forward: number | null;
  readonly max_pain: number | null;
  readonly strikes: readonly number[];
  readonly pain: Column;
}

export interface OhlcBar {
  readonly start_ts: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly count: number;
  readonly complete: boolean;
}

export interface Gap {
  readonly from_ts: number;
  readonly to_ts: number;
  readonly bars: number;
  readonly in_session: boolean;
}

export interface BarsAnswer {
  readonly symbol: string;
  readonly product: string;
  readonly expiry: string | null;
  readonly metric: string;
  readonly interval: string;
  readonly timezone: string;
  readonly from_ts: number;
  readonly to_ts: number;
  readonly bars: readonly OhlcBar[];
  readonly gaps: readonly Gap[];
}
