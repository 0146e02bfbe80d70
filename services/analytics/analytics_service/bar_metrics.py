"""What there are bars of."""

from typing import Final

from aro.contracts.analytics import NUMERIC_METRICS
from aro.contracts.problems import NotFound

SPOT: Final = "spot"
PRODUCT_METRICS: Final = (SPOT, *(name for name in NUMERIC_METRICS if name != SPOT))
"""The underlying belongs to the product, everything else to an expiry."""
CONTRACT_METRICS: Final = (
    *("ltp", "mid", "bid", "ask", "volume", "open_interest"),
    *("iv", "delta", "gamma", "vega", "theta", "rho"),
)
_SHORT: Final = {"atm_iv": "iv_atm", "straddle": "atm_straddle", "pcr": "pcr_oi"}
BAR_METRICS: Final = (*PRODUCT_METRICS, *CONTRACT_METRICS, *_SHORT)


def product_metric(text: str | None) -> str:
    """Raises `NotFound` for what only a contract has."""
    return _known(_SHORT.get(text or SPOT, text or SPOT), PRODUCT_METRICS, "a product")


def contract_metric(text: str | None) -> str:
    """Raises `NotFound` for what only a product has."""
    return _known(text or CONTRACT_METRICS[0], CONTRACT_METRICS, "a contract")


def _known(metric: str, known: tuple[str, ...], what: str) -> str:
    if metric not in known:
        raise NotFound(f"{what} has no bars of {metric}; there are {', '.join(known)}")
    return metric
