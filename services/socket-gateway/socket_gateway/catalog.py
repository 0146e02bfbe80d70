"""Which channels a client may name, and what each name stands for now."""

from collections.abc import Callable
from typing import Final

from aro.contracts.names import Channel, parse_channel
from aro.contracts.problems import ServiceUnavailable, UnknownChannel, UnknownExpiry
from aro.contracts.products import product
from socket_gateway.channels import Sequencer
from socket_gateway.replays import Allowed

LIVE_ONLY: Final = Allowed()


class Catalog:
    """`is_current` says whether Redis is being followed, so that "not there" means that it does not exist."""

    def __init__(self, sequencer: Sequencer, is_current: Callable[[], bool]) -> None:
        self._sequencer = sequencer
        self._is_current = is_current

    def resolve(self, text: str, allowed: Allowed = LIVE_ONLY) -> list[str]:
        """The channels that `text` stands for: itself, or every live one of a pattern.

        ``status``, ``ticks:P``, ``surface:P`` and ``bars:P:1m`` exist before their first data: their names alone say
        what will come. So do all channels of a replay session, but for patterns.

        Raises
        ------
        UnknownChannel, UnknownProduct
            If it is outside the grammar, names no product, or a session that is over or not one of those `allowed`.
        UnknownExpiry
            If no state of this expiry (or of any, for a pattern) is live.
        ServiceUnavailable
            Instead of `UnknownExpiry` while Redis is away: nobody can know then.
        """
        channel = parse_channel(text)
        if channel.session is not None:
            return self._replayed(text, channel, channel.session, allowed)
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

    def _replayed(self, text: str, channel: Channel, session: str, allowed: Allowed) -> list[str]:
        if not allowed.is_known:
            raise ServiceUnavailable("replay sessions cannot be looked up now; try again in a moment")
        if session not in allowed.sessions:
            raise UnknownChannel(f"you have no replay session {session}")
        if channel.product is not None:
            product(channel.product)
        if not channel.is_pattern:
            return [text]
        found = sorted(name for name in allowed.sessions[session] if name.startswith(text[:-1]))
        if not found:
            raise UnknownExpiry(f"there is no data for {text} yet")
        return found
