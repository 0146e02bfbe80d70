"""Clients that write down what they are told, for the checker; they judge nothing themselves."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

import option_aro_client as official

from aro.testing.continuity import Continuity, Truth
from aro.testing.crowd import Member
from campaign.history import Recorder, digests

FORMS: list[dict[str, Any]] = [
    {},
    {"delta": True},
    {"encoding": "deflate"},
    {"delta": True, "encoding": "deflate"},
    {"max_rate_hz": 2},
    {"delta": True, "encoding": "deflate", "max_rate_hz": 2},
]
_STATES = frozenset({"snapshot", "update", "delta"})


class _Unjudged(Truth):
    """Remembers nothing: what each position holds is for the checker to compare."""

    def agrees(self, *_: Any) -> bool:
        return True


class RecordedContinuity(Continuity):
    """Notes events ``connected``, ``answered``, ``resync``, ``heartbeat``, ``draining``, ``error``, and states with
    their position, `source_seq`, `source_ts` and digests; of the status also `server_ts` and what is `live`:
    ``NIFTY|`` for the product, ``NIFTY|2026-12-29`` for an expiry."""

    def __init__(self, number: int, recorder: Recorder) -> None:
        super().__init__(_Unjudged())
        self._number = number
        self._recorder = recorder
        self.last: dict[str, tuple[float, float]] = {}
        """Channel → when its last state came and when its source made it, both UTC epoch milliseconds."""

    def connected(self) -> None:
        self._note("connected")
        super().connected()

    def answered(self, entries: Iterable[Mapping[str, Any]]) -> None:
        ok = [{key: entry.get(key) for key in ("channel", "epoch", "seq", "recovered")} for entry in entries]
        self._note("answered", ok=ok)
        super().answered(entries)

    def take(self, event: str, message: Mapping[str, Any]) -> None:
        if event in _STATES:
            self._state(event, message)
        elif event == "heartbeat":
            self._note(event, channels=message["channels"])
        elif event == "resync":
            self._note(event, channel=message["channel"], reason=message["reason"])
        else:
            self._note(event, detail=str(message)[:200])
        super().take(event, message)

    def _state(self, event: str, message: Mapping[str, Any]) -> None:
        data, channel = message["data"], message["channel"]
        content, exact = digests(data)
        fields = {key: message[key] for key in ("channel", "epoch", "seq", "prev_seq") if key in message}
        fields |= {"source_seq": data.get("source_seq"), "source_ts": data.get("source_ts")}
        if channel == "status":
            fields |= {"server_ts": data["server_ts"]}
            live = [item for item in data["products"] if item["state"] == "live"]
            fields |= {"live": [f"{item['product']}|{expiry}" for item in live for expiry in ("", *item["expiries"])]}
        self._note(event, **fields, content=content, exact=exact)
        self.last[channel] = time.time() * 1000, data.get("source_ts") or 0.0

    def _note(self, event: str, **fields: Any) -> None:
        self._recorder.note("client", client=self._number, event=event, **fields)


def client(number: int, token: str, products: Iterable[str], recorder: Recorder) -> Member:
    """Number decides its form."""
    channels = [name for product in products for name in _channels(product)]
    member = Member(token, [*channels, "status"], _Unjudged(), apply=_apply, **FORMS[number % len(FORMS)])
    member.checked = RecordedContinuity(number, recorder)
    return member


def _channels(product: str) -> list[str]:
    return [f"ticks:{product}", f"chain:{product}:*", f"metrics:{product}:*", f"surface:{product}"]


def _apply(state: Any, patch: Any) -> Any:
    """A delta that does not fit becomes a state that no other client has seen."""
    try:
        return official.apply_patch(state, patch)
    except official.CannotApply as error:
        return {"cannot apply": str(error)}
