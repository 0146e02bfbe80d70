/** What the platform sends, as services/shared/aro/contracts/analytics.py describes it: only what this page reads. */

export type Column = readonly (number | null)[];
type Number = number | null;

export interface Tick {
  product: string;
  exchange: string;
  price: number;
  prev_close: Number;
  change: Number;
  change_percent: Number;
  source_ts: number;
}

export interface Quotes {
  bid: Column;
  ask: Column;
  bid_size: Column;
  ask_size: Column;
  ltp: Column;
  mid: Column;
  prev_close: Column;
  volume: Column;
  open_interest: Column;
  open_interest_change: Column;
  iv: Column;
  bid_iv: Column;
  ask_iv: Column;
  iv_status: readonly string[];
  delta: Column;
  gamma: Column;
  vega: Column;
  theta: Column;
  rho: Column;
  intrinsic: Column;
  time_value: Column;
  vanna?: Column;
  charm?: Column;
  volga?: Column;
}

export interface Chain {
  product: string;
  exchange: string;
  expiry: string;
  expiry_ts: number;
  spot: number;
  forward: Number;
  forward_source: string | null;
  forward_low: Number;
  forward_high: Number;
  basis: Number;
  implied_carry: Number;
  rate: number;
  dte_years: number;
  atm_strike: Number;
  contract_size: number;
  tick_size: number;
  flags: readonly string[];
  strikes: readonly number[];
  calls: Quotes;
  puts: Quotes;
  source_ts: number;
  computed_ts: number;
}

export interface Metrics {
  product: string;
  expiry: string;
  expiry_ts: number;
  spot: number;
  forward: Number;
  forward_source: string | null;
  basis: Number;
  dte_years: number;
  atm_strike: Number;
  iv_atm: Number;
  atm_straddle: Number;
  atm_straddle_forward: Number;
  expected_move_1sd: Number;
  expected_move_straddle: Number;
  expected_move_85: Number;
  pcr_oi: Number;
  pcr_volume: Number;
  pcr_oi_value: Number;
  call_open_interest: number;
  put_open_interest: number;
  call_volume: number;
  put_volume: number;
  max_pain: Number;
  iv_status_counts: Readonly<Record<string, number>>;
  flags: readonly string[];
  source_ts: number;
  computed_ts: number;
  rr25: Number;
  bf25: Number;
  skew_25d_norm: Number;
  smile_rmse: Number;
  smile_g_min: Number;
  gex_net: Number;
  gex_flip: Number;
  gamma_density: Number;
  call_wall: Number;
  put_wall: Number;
  call_oi_wall: Number;
  put_oi_wall: Number;
  pcr_oi_change: Number;
  call_buildup: Readonly<Record<string, number>> | null;
  put_buildup: Readonly<Record<string, number>> | null;
  parity_residual: Number;
}

export interface SurfaceSlice {
  expiry: string;
  expiry_ts: number;
  source_ts: number;
  dte_years: number;
  forward: number;
  a: number;
  b: number;
  rho: number;
  m: number;
  sigma: number;
  points: number;
  rmse: number;
  max_error: number;
  g_min: number;
  raw_rmse: number;
  raw_g_min: number;
  k_low: number;
  k_high: number;
  iv_atm: Number;
  rr25: Number;
  bf25: Number;
  skew_25d_norm: Number;
  iv: Column;
}

export interface Surface {
  product: string;
  model: "svi" | "svi_repaired" | "ssvi";
  spot: number;
  slices: readonly SurfaceSlice[];
  moneyness: readonly number[];
  violations: readonly {
    kind: "butterfly" | "calendar" | "vertical";
    expiry: string;
    moneyness: number;
    depth: number;
    quoted: boolean;
    tradable: boolean;
  }[];
  violation_count: number;
  term_structure: readonly { days: number; iv: Number }[];
  iv_30d: Number;
  iv_rank: Number;
  iv_percentile: Number;
  iv_n_obs: number;
  variance_index: Readonly<Record<string, Number>>;
  flags: readonly string[];
  source_ts: number;
  computed_ts: number;
}

export interface Bar {
  start_ts: number;
  open: number;
  high: number;
  low: number;
  close: number;
  count: number;
}

export interface Bars {
  product: string;
  interval: string;
  bars: readonly Bar[];
  source_ts: number;
}

export interface Latency {
  bounds_ms: readonly number[];
  counts: readonly number[];
  count: number;
  mean_ms: Number;
  p50_ms: Number;
  p99_ms: Number;
}

/** As services/shared/aro/contracts/status.py describes it; what is optional came later. */
export interface Status {
  server_ts: number;
  products: readonly { product: string; state: "live" | "stale"; age_ms: number; expiries: readonly string[] }[];
  stream_lag: Readonly<Record<string, number>>;
  dead_letters: number;
  stream_pending?: Readonly<Record<string, number>>;
  oldest_pending_ms?: Readonly<Record<string, Number>>;
  window_ms?: number;
  pipeline?: {
    workers: number;
    chains_per_second: number;
    ticks_per_second: number;
    stages: readonly { stage: string; latency: Latency }[];
    latency: Latency;
  } | null;
  gateways?: readonly {
    instance: string;
    sockets: number;
    subscriptions: number;
    messages_per_second: number;
    bytes_per_second: number;
    conflated: number;
    slow_disconnects: number;
    waiting_bytes: number;
    loop_lag_ms: number;
    latency: Latency;
  }[];
  processes?: readonly { service: string; instance: string; started_ts: number; cpu: Number; memory_bytes: Number }[];
}

export interface Product {
  product: string;
  description: string;
  exchange: string;
  currency: string;
  timezone: string;
  exercise_style: string;
  contract_size: number;
  tick_size: number;
  strike_step: number;
  has_data: boolean;
}
