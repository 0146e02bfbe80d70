"""Makes ``lets_be_rational.json``: undiscounted Black prices and implied volatilities of another implementation.

Run once, by hand: ``pip install py_lets_be_rational==1.1.2`` and ``python generate_lets_be_rational.py``.
That package is Gammon Capital's Python port of Peter Jäckel's reference implementation "LetsBeRational"; tests read
only the numbers.
"""

import json
import math
import random
from importlib.metadata import version
from pathlib import Path

from py_lets_be_rational import black, implied_volatility_from_a_transformed_rational_guess

CASES = 240
SEED = 20_220_328
SMALLEST_SHARE = 1e-60
"""Of the forward: cheaper options are drawn again."""


def draw(source: random.Random) -> dict[str, float | bool]:
    """One contract out of the money, so that its price holds all digits of its volatility."""
    while True:
        forward = math.exp(source.uniform(math.log(10), math.log(60_000)))
        k = source.choice([0.003, 0.03, 0.3, 1.0, 3.0]) * source.uniform(-1, 1)
        strike = forward * math.exp(k)
        years = math.exp(source.uniform(math.log(1 / 8_760), math.log(3)))
        sigma = math.exp(source.uniform(math.log(1e-4), math.log(4))) / math.sqrt(years)
        is_call = strike >= forward
        side = 1.0 if is_call else -1.0
        price = black(forward, strike, sigma, years, side)
        if price > SMALLEST_SHARE * forward:
            iv = implied_volatility_from_a_transformed_rational_guess(price, forward, strike, years, side)
            return {
                "forward": forward,
                "strike": strike,
                "years": years,
                "sigma": sigma,
                "is_call": is_call,
                "price": price,
                "iv": iv,
            }


def main() -> None:
    source = random.Random(SEED)
    provenance = f"py_lets_be_rational {version('py_lets_be_rational')}, {Path(__file__).name}, seed {SEED}"
    lines = ",\n  ".join(json.dumps(draw(source)) for _ in range(CASES))
    target = Path(__file__).with_name("lets_be_rational.json")
    target.write_text(f'{{"provenance": {json.dumps(provenance)},\n "cases": [\n  {lines}\n]}}\n')


if __name__ == "__main__":
    main()
