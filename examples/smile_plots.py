"""Smile plots of an option-chain capture: quotes with their bid-ask bars, each smile's own fit, and the surface.

    python examples/smile_plots.py nse_nifty_2022-03-28.json.gz smiles/ [--expiries 8]

needs matplotlib beside the packages `aro`, `feed_generator` and `worker_enricher`. One PNG per expiry, one of all
total variances together (where they cross, there would be calendar arbitrage), and one of the term structure.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import msgspec
import numpy as np

from aro.contracts.analytics import EnrichedChain, SurfaceState
from aro.contracts.codec import encode_json
from feed_generator.replay.capture import read_capture
from worker_enricher.pipeline import enrich_chains, sound_chain
from worker_enricher.surface import current, surface_state

mpl.use("Agg")

from matplotlib import pyplot as plt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("capture", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--expiries", type=int, default=8, help="nearest fitted expiries to plot")
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    chains = enriched(arguments.capture)
    state = surface_state(current(chains), None, [], computed_ts=chains[0].computed_ts)
    if state is None:
        raise SystemExit("no expiry of this capture has a smile")
    for item in state.slices[: arguments.expiries]:
        chain = next(chain for chain in chains if chain.expiry == item.expiry)
        save(plot_smile(chain, state), arguments.directory / f"smile_{item.expiry}.png")
    save(plot_variances(state), arguments.directory / "total_variance.png")
    save(plot_term_structure(state), arguments.directory / "term_structure.png")
    print(f"model {state.model}, variance index {state.variance_index}, {state.violation_count} violations")
    for item in state.slices:
        print(
            f"{item.expiry}  {item.points:3} points  rmse {100 * item.rmse:6.3f} (raw {100 * item.raw_rmse:6.3f})"
            f"  g_min {item.g_min:7.4f} (raw {item.raw_g_min:7.4f})  atm {100 * (item.iv_atm or np.nan):6.2f}"
        )


def enriched(path: Path) -> list[EnrichedChain]:
    sound = [sound_chain(msgspec.structs.replace(chain, source_seq=1)) for chain in read_capture(path).chains]
    chains = [chain for chain, _ in enrich_chains(sound, computed_ts=sound[0].snapshot.source_ts)]
    return [msgspec.json.decode(encode_json(chain), type=EnrichedChain) for chain in chains]


def plot_smile(chain: EnrichedChain, state: SurfaceState) -> Any:
    item = next(item for item in state.slices if item.expiry == chain.expiry)
    strikes = np.array(chain.strikes)
    is_call = strikes >= item.forward
    bid, mid, ask = (
        100 * np.where(is_call, np.array(getattr(chain.calls, name), float), np.array(getattr(chain.puts, name), float))
        for name in ("bid_iv", "iv", "ask_iv")
    )
    width = 2.0 * (item.k_high - item.k_low)
    middle = 0.5 * (item.k_high + item.k_low)
    k = np.linspace(max(middle - width, state_k(state, 0)), min(middle + width, state_k(state, -1)), 400)
    shown = (np.log(strikes / item.forward) >= k[0]) & (np.log(strikes / item.forward) <= k[-1]) & np.isfinite(mid)
    figure, axes = plt.subplots(figsize=(9, 5))
    for side, colour, name in ((is_call, "tab:blue", "calls"), (~is_call, "tab:red", "puts")):
        at = shown & side
        low = np.nan_to_num(mid[at] - bid[at], nan=0.0)
        high = np.nan_to_num(ask[at] - mid[at], nan=0.0)
        axes.errorbar(
            strikes[at], mid[at], yerr=[low, high], fmt=".", color=colour, lw=0.8, label=f"{name}, bid to ask"
        )
    axes.plot(item.forward * np.exp(k), 100 * volatility(item, k), "k-", lw=1.2, label=f"surface ({state.model})")
    axes.axvline(item.forward, color="grey", lw=0.7, ls="--", label=f"forward {item.forward:.1f}")
    axes.axvspan(
        item.forward * np.exp(item.k_low), item.forward * np.exp(item.k_high), color="tab:green", alpha=0.07,
        label="quotes fitted (5 delta)",
    )  # fmt: skip
    top = np.nanmax(100 * volatility(item, k))
    axes.set_ylim(0.8 * np.nanmin(100 * volatility(item, k)), 1.25 * top)
    axes.set_title(
        f"{chain.product} {chain.expiry}, {365 * item.dte_years:.1f} days: rmse {100 * item.rmse:.2f} vol points over"
        f" {item.points} quotes, g min {item.g_min:.2f}"
    )
    axes.set_xlabel("strike")
    axes.set_ylabel("implied volatility, %")
    axes.legend(fontsize=8)
    return figure


def plot_variances(state: SurfaceState) -> Any:
    figure, axes = plt.subplots(figsize=(9, 5))
    k = np.linspace(state_k(state, 0), state_k(state, -1), 400)
    for item in state.slices:
        axes.plot(k, volatility(item, k) ** 2 * item.dte_years, label=item.expiry)
    axes.set_yscale("log")
    axes.set_title(f"{state.product}: total variance at equal forward moneyness must not cross ({state.model})")
    axes.set_xlabel("ln(K/F)")
    axes.set_ylabel("total variance σ²T")
    axes.legend(fontsize=7, ncols=2)
    return figure


def plot_term_structure(state: SurfaceState) -> Any:
    figure, axes = plt.subplots(figsize=(9, 5))
    axes.plot(
        [365 * item.dte_years for item in state.slices], [100 * (item.iv_atm or np.nan) for item in state.slices], "o-"
    )
    constant = [(point.days, 100 * point.iv) for point in state.term_structure if point.iv is not None]
    axes.plot(*zip(*constant, strict=True), "rx", ms=9, label="constant maturity")
    axes.set_title(f"{state.product}: at-the-money-forward volatility")
    axes.set_xlabel("days")
    axes.set_ylabel("%")
    axes.legend()
    return figure


def volatility(item: Any, k: np.ndarray) -> np.ndarray:
    w = item.a + item.b * (item.rho * (k - item.m) + np.sqrt((k - item.m) ** 2 + item.sigma**2))
    sigma: np.ndarray = np.sqrt(w / item.dte_years)
    return sigma


def state_k(state: SurfaceState, end: int) -> float:
    """The lowest (0) or highest (-1) moneyness that was quoted on any expiry."""
    return min(item.k_low for item in state.slices) if end == 0 else max(item.k_high for item in state.slices)


def save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main()
