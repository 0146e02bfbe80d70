/**
 * What every number on the page is: its name, its unit, its definition, and where REST explains how this very number
 * was made (`explain=1`). Definitions are those of the platform's messages.
 */

export interface Term {
  readonly name: string;
  readonly unit: string;
  readonly definition: string;
  /** Path under /analytics/{product}/ that takes `explain=1`. */
  readonly explain?: string;
}

const TERMS = {
  spot: { name: "Spot", unit: "points", definition: "Last price of the underlying." },
  change: { name: "Change", unit: "points, per cent", definition: "Spot against the previous close." },
  forward: {
    name: "Forward",
    unit: "points",
    definition: "Forward price of this expiry, implied by put-call parity of the strikes nearest the money.",
    explain: "straddle",
  },
  basis: { name: "Basis", unit: "points", definition: "Forward less spot." },
  iv_atm: {
    name: "ATM IV",
    unit: "per cent a year",
    definition: "Black-76 implied volatility at the money forward: between the two strikes around the forward.",
    explain: "expected-move",
  },
  atm_straddle: {
    name: "Straddle",
    unit: "points",
    definition: "Mid price of call and put at the strike nearest the forward, together.",
    explain: "straddle",
  },
  expected_move_1sd: {
    name: "Expected move",
    unit: "points, one standard deviation until expiry",
    definition: "F · σ · √T: two closes in three are expected to lie within it.",
    explain: "expected-move",
  },
  pcr_oi: {
    name: "PCR",
    unit: "ratio",
    definition: "Open interest of puts over that of calls, of this expiry.",
    explain: "pcr",
  },
  pcr_volume: {
    name: "PCR by volume",
    unit: "ratio",
    definition: "Contracts traded today in puts over those in calls.",
    explain: "pcr",
  },
  max_pain: {
    name: "Max pain",
    unit: "strike",
    definition: "The settlement at which holders of all open contracts together would be paid least.",
    explain: "max-pain",
  },
  variance_index: {
    name: "Variance index",
    unit: "vol points",
    definition: "Thirty-day volatility from the prices of all out-of-the-money options, free of any model (Cboe’s formula).",
    explain: "variance-index",
  },
  iv_rank: {
    name: "IV rank",
    unit: "0 to 100",
    definition: "Where 30-day volatility lies between its lowest and highest of 252 days. Empty below 20 days of history.",
    explain: "iv-rank",
  },
  rr25: {
    name: "Risk reversal",
    unit: "vol points",
    definition: "IV of the 25-delta call less that of the 25-delta put, off the fitted smile.",
    explain: "smile",
  },
  bf25: {
    name: "Butterfly",
    unit: "vol points",
    definition: "Mean IV of the 25-delta call and put less that at the money, off the fitted smile.",
    explain: "smile",
  },
  skew_25d_norm: {
    name: "Skew over ATM",
    unit: "ratio",
    definition: "Minus the 25-delta risk reversal, over the IV at the money.",
    explain: "smile",
  },
  smile_rmse: {
    name: "Error of the fit",
    unit: "vol points",
    definition: "Root mean square distance of the quotes in the fit from the fitted smile.",
    explain: "smile",
  },
  gex_flip: {
    name: "Gamma flip",
    unit: "points",
    definition: "The spot at which gamma exposure, priced anew there, changes its sign (dealers long calls, short puts).",
    explain: "gex",
  },
  gex: {
    name: "Gamma exposure",
    unit: "quote currency per 1 % of the underlying",
    definition: "What dealers would have to trade if the underlying moved by 1 %. Who is long and who is short is an assumption.",
    explain: "gex",
  },
  gex_by_spot: {
    name: "Gamma exposure by spot",
    unit: "quote currency per 1 % of the underlying",
    definition: "The whole book priced anew at each spot, with the volatility of each strike kept. Where it changes its sign is the flip.",
    explain: "gex",
  },
  buildup: {
    name: "Build-up",
    unit: "class",
    definition:
      "Price up with open interest up is long build-up, with it down short covering; price down with it up is short build-up, with it down long unwinding.",
    explain: "oi-buildup",
  },
  smile: {
    name: "Smile",
    unit: "per cent a year",
    definition:
      "IV of bids, mids and asks out of the money, and the SVI curve fitted to them: dashed where it is extrapolated. The chord joins the 25-delta put and call.",
    explain: "smile",
  },
  surface: {
    name: "Surface",
    unit: "per cent a year",
    definition: "IV of all expiries together, fitted so that they have no arbitrage among them.",
    explain: "surface",
  },
  term_structure: {
    name: "Term structure",
    unit: "per cent a year",
    definition: "IV at the money by expiry, of constant maturities, and (forward) of the time between an expiry and the one before.",
    explain: "term-structure",
  },
  call_wall: {
    name: "Call wall",
    unit: "strike",
    definition: "The strike whose calls have the most gamma exposure.",
    explain: "gex",
  },
  put_wall: {
    name: "Put wall",
    unit: "strike",
    definition: "The strike whose puts have the most gamma exposure.",
    explain: "gex",
  },
  ltp: { name: "LTP", unit: "points", definition: "Last traded price." },
  bid: { name: "Bid", unit: "points", definition: "Best price that somebody buys at." },
  ask: { name: "Ask", unit: "points", definition: "Best price that somebody sells at." },
  iv: {
    name: "IV",
    unit: "per cent a year",
    definition: "Black-76 volatility that the mid price implies on the parity forward. Empty if the price allows none.",
    explain: "smile",
  },
  delta: { name: "Delta", unit: "per point of the forward", definition: "Change of the option’s price for one point." },
  gamma: { name: "Gamma", unit: "delta per point", definition: "Change of delta for one point of the forward." },
  vega: { name: "Vega", unit: "points per vol point", definition: "Change of the price for 0.01 of volatility." },
  theta: { name: "Theta", unit: "points per calendar day", definition: "Change of the price as one day passes." },
  open_interest: { name: "OI", unit: "contracts", definition: "Contracts that are open." },
  open_interest_change: {
    name: "OI change",
    unit: "contracts",
    definition: "Open contracts against the previous close.",
    explain: "oi-change",
  },
  volume: { name: "Volume", unit: "contracts", definition: "Contracts traded today." },
  strike: { name: "Strike", unit: "points", definition: "Price that the option is exercised at." },
  age: { name: "Age", unit: "seconds", definition: "Time since the market was read, by the server’s clock." },
  publish_latency: {
    name: "Feed to publication",
    unit: "milliseconds",
    definition: "From a chain’s own time until REST and sockets have it: half of the last minute’s chains were as quick.",
  },
  publish_latency_p99: {
    name: "99 of 100 within",
    unit: "milliseconds",
    definition: "From a chain’s own time until REST and sockets have it: one in a hundred of the last minute took longer.",
  },
  delivery_latency: {
    name: "Feed to sockets",
    unit: "milliseconds",
    definition: "From a chain’s own time until a gateway handed it to its sockets.",
  },
  chains_per_second: {
    name: "Chains/s",
    unit: "per second",
    definition: "Chains enriched, stored and published, over the last minute.",
  },
  stream_lag: {
    name: "Lag",
    unit: "entries",
    definition: "Entries of the ledger that no worker was given yet.",
  },
  stream_pending: {
    name: "Owed",
    unit: "entries",
    definition: "Entries given to a worker and not yet stored and published.",
  },
  oldest_pending: {
    name: "Oldest",
    unit: "milliseconds",
    definition: "Age of the oldest entry that is owed.",
  },
  dead_letters: {
    name: "Dead letters",
    unit: "entries",
    definition: "Entries that could not be enriched and are kept with their reason until somebody looks at them.",
  },
  sockets: {
    name: "Sockets",
    unit: "connections",
    definition: "Clients that are logged in at the gateways now.",
  },
  processes: {
    name: "Processes",
    unit: "count",
    definition: "Processes that said how they are within the last seven seconds.",
  },
  conflated: {
    name: "Replaced",
    unit: "messages of the last minute",
    definition: "Messages that a newer one took the place of, because the client had not taken them yet.",
  },
  slow: {
    name: "Too slow",
    unit: "sockets of the last minute",
    definition: "Sockets that were closed because they took nothing for too long.",
  },
  loop_lag: {
    name: "Loop lag",
    unit: "milliseconds",
    definition: "How late the gateway’s event loop was at worst in the last 15 seconds.",
  },
} as const satisfies Readonly<Record<string, Term>>;

export type TermName = keyof typeof TERMS;

export function term(name: TermName): Term {
  return TERMS[name];
}

export function isTerm(name: string): name is TermName {
  return Object.hasOwn(TERMS, name);
}
