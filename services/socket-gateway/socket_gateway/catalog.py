"""Which channels a client may name, and what each name stands for now."""

from collections.abc import Callable

from aro.contracts.names import parse_channel
from aro.contracts.problems import ServiceUnavailable, UnknownExpiry
from aro.contracts.products import product
from socket_gateway.channels import Sequencer


class Catalog:
    """`is_current` says whether Redis is being followed, so that "not there" means that it does not exist."""

    def __init__(self, sequencer: Sequencer, is_current: Callable[[], bool]) -> None:
        self._sequencer = sequencer
        self._is_current = is_current

    def resolve(self, text: str) -> list[str]:
        """The channels that `text` stands for: itself, or every live one of a pattern.

        ``status``, ``ticks:P``, ``surface:P`` and ``bars:P:1m`` exist before their first data: their names alone say
        what will come.

        Raises
        ------
        UnknownChannel, UnknownProduct
            If it is outside the grammar or names no product.
        UnknownExpiry
            If no state of this expiry (or of any, for a pattern) is live.
        ServiceUnavailable
            Instead of `UnknownExpiry` while Redis is away: nobody can know then.
        """
        channel = parse_channel(text)
        if channel.product is None:
            return [text]
        product(channel.product)
        if channel.kind in ("ticks", "surface", "bars"):
            return [text]
        if channel.is_pattern:
            found = self._sequencer.expiries(channel.kind, channel.product)
        else:
            found = [text] if self._sequencer.find(text) else []
        if found:
            return found
        if not self._is_current():
            raise ServiceUnavailable(f"{text} is not known yet; try again in a moment")
        raise UnknownExpiry(f"there is no live data for {text}")
