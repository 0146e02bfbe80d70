"""What the gateway answers when an upstream does not."""

from typing import Final

from aro.contracts.problems import BadGateway, ServiceUnavailable, UpstreamTimeout

RETRY_SECONDS: Final = 2
"""``Retry-After`` of an upstream that is away: about the rest of a circuit."""
BUSY_SECONDS: Final = 1


class UpstreamAway(ServiceUnavailable):
    """It cannot be connected to, dropped the connection, or is being left alone."""

    retry_after: int = RETRY_SECONDS


class UpstreamBusy(UpstreamAway):
    """All slots for it are taken."""

    retry_after = BUSY_SECONDS


class UpstreamSlow(UpstreamTimeout):
    """It did not answer within its deadline."""


class UpstreamGarbled(BadGateway):
    """What it answered is no HTTP response."""
