# %% [markdown]
# # Chains, smiles and candles over REST
#
# A notebook as a script: run it cell by cell in an editor that knows `# %%`, or whole,
#
#     python examples/rest_notebook.py [--product NIFTY] [--plots DIRECTORY]
#
# with `requests`, `pandas` and `matplotlib` installed, against a platform that runs (`ARO_API_URL`, default
# http://127.0.0.1:8000). It registers an account of its own, and later goes on with a personal token.

# %%
import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import requests
from matplotlib import dates
from matplotlib import pyplot as plt

IS_SCRIPT = "ipykernel" not in sys.modules
parser = argparse.ArgumentParser()
parser.add_argument("--product", default="NIFTY")
parser.add_argument("--plots", type=Path, help="where to save the plots, as smile.png and candles.png")
options = parser.parse_args() if IS_SCRIPT else parser.parse_args([])
API = os.environ.get("ARO_API_URL", "http://127.0.0.1:8000") + "/api/v1"
PRODUCT = options.product


# %% [markdown]
# ## An account and its session
# Access tokens live for 15 minutes; a refresh token is good once and brings the next pair.


# %%
def get(path: str, token: str, **query: Any) -> Any:
    """The JSON of an answer. An error says why: problems are JSON with a `detail`."""
    answer = requests.get(f"{API}{path}", params=query, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    if not answer.ok:
        raise RuntimeError(f"{answer.status_code} {answer.json()['detail']}")
    return answer.json()


def post(path: str, body: Any, token: str | None = None) -> Any:
    head = {"Authorization": f"Bearer {token}"} if token else {}
    answer = requests.post(f"{API}{path}", json=body, headers=head, timeout=30)
    if not answer.ok:
        raise RuntimeError(f"{answer.status_code} {answer.json()['detail']}")
    return answer.json()


account = {"email": f"notebook-{secrets.token_hex(4)}@example.com", "password": secrets.token_urlsafe(18)}
post("/auth/register", account)
user = post("/auth/login", account)["access_token"]
print("logged in as", get("/auth/me", user)["email"])

# %% [markdown]
# ## A chain as a DataFrame
# One row per contract. `iv` is an annual decimal, vega per vol point, theta per calendar day, open interest in
# contracts; what cannot be computed is null, which pandas shows as NaN.

# %%
chain = get(f"/chains/{PRODUCT}", user, shape="rows")
contracts = pd.DataFrame(chain["rows"]).set_index("symbol")
print(f"{PRODUCT} {chain['expiry']} at {chain['source_time']}: spot {chain['spot']}, forward {chain['forward']}")
near = contracts[(contracts.strike - chain["atm_strike"]).abs() <= 2 * contracts.strike.drop_duplicates().diff().min()]
print(near[["bid", "ask", "iv", "delta", "gamma", "vega", "theta", "open_interest"]].to_string())

# %% [markdown]
# ## The smile
# Quotes from bid to ask, and the curve that was fitted to those out of the money.

# %%
smile = get(f"/analytics/{PRODUCT}/smile", user, expiry=chain["expiry"])
quotes = pd.DataFrame(
    {
        "strike": smile["strikes"],
        "fitted": smile["fitted_iv"],
        **{
            f"{side}_{name}": smile[f"{side}s"][name] for side in ("call", "put") for name in ("bid_iv", "iv", "ask_iv")
        },
    }
).astype(float)
# The curve goes on beyond the quotes it was fitted to; show a little of that, and not all.
low, high = (smile["forward"] * np.exp(1.6 * smile["fit"][end]) for end in ("k_low", "k_high"))
quotes = quotes[quotes.strike.between(low, high)]

figure, axes = plt.subplots(figsize=(9, 5))
for side, colour in (("put", "tab:red"), ("call", "tab:blue")):
    is_out = quotes.strike < smile["forward"] if side == "put" else quotes.strike >= smile["forward"]
    shown = quotes[is_out & quotes[f"{side}_iv"].notna()]
    below = (shown[f"{side}_iv"] - shown[f"{side}_bid_iv"]).fillna(0.0)
    above = (shown[f"{side}_ask_iv"] - shown[f"{side}_iv"]).fillna(0.0)
    axes.errorbar(
        shown.strike, 100 * shown[f"{side}_iv"], yerr=[100 * below, 100 * above], fmt=".", color=colour,
        label=f"{side}s, bid to ask",
    )  # fmt: skip
axes.plot(quotes.strike, 100 * quotes.fitted, "k-", lw=1, label="fitted")
axes.axvline(smile["forward"], color="grey", lw=0.8, ls="--", label=f"forward {smile['forward']:.1f}")
axes.set(title=f"{PRODUCT} {smile['expiry']}, {smile['source_time']}", xlabel="strike", ylabel="implied volatility, %")
axes.legend()
if options.plots:
    options.plots.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.plots / "smile.png", dpi=100)

# %% [markdown]
# ## A personal token
# For scripts that run without a person: read-only unless asked for more, shown once, revocable at any time.

# %%
personal = post("/auth/tokens", {"name": "notebook", "scopes": ["read"], "expires_in_days": 30}, user)["token"]
print("personal token", personal[:12] + "…")

# %% [markdown]
# ## Bars to candles
# The personal token is used like any other. Minutes without data have no bar: gaps stay gaps.

# %%
answer = get(f"/ohlc/{PRODUCT}", personal, interval="1m")
bars = pd.DataFrame(answer["bars"])
bars.index = pd.to_datetime(bars.start_ts, unit="ms", utc=True).dt.tz_convert(answer["timezone"])
print(bars[["open", "high", "low", "close", "count"]].tail())

figure, axes = plt.subplots(figsize=(9, 5))
minutes = dates.date2num(bars.index.to_pydatetime())
width = 0.7 / (24 * 60)
for rising, colour in ((True, "tab:green"), (False, "tab:red")):
    chosen = (bars.close >= bars.open).to_numpy() == rising
    some = bars[chosen]
    axes.vlines(minutes[chosen], some.low, some.high, color=colour, lw=1)
    height = (some.close - some.open).abs().clip(lower=0.01)
    axes.bar(minutes[chosen], height, width, bottom=some[["open", "close"]].min(axis=1), color=colour)
axes.use_sticky_edges = False  # bars would stand on the lower edge
axes.autoscale_view()
axes.xaxis_date(tz=answer["timezone"])
axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M", tz=answer["timezone"]))
axes.set(title=f"{PRODUCT}, one minute", xlabel=answer["timezone"], ylabel="price")
if options.plots:
    figure.savefig(options.plots / "candles.png", dpi=100)
    print("plots are in", options.plots)
