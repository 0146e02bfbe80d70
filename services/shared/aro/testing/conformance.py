"""Does a service answer as its OpenAPI document says? schemathesis asks, with all its checks on."""

import copy
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import Failure
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData

Json = dict[str, Any]

SEED: Final = 20_261_229
ANSWER_SECONDS: Final = 10.0
STREAM_SECONDS: Final = 2.0
PHASES: Final = ("examples", "coverage", "fuzzing", "stateful")
_NOTHING: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})

# JSON schema cannot say that instants before 1970 and after 2100 mean nothing here.
_INSTANTS: Final = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001
# Nor which passwords are too easy to guess.
_PASSWORDS: Final = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=16, max_size=24)
schemathesis.openapi.format("password", _PASSWORDS)
schemathesis.openapi.format("date-time", _INSTANTS.map(lambda moment: moment.isoformat().replace("+00:00", "Z")))


@dataclass
class Findings:
    """What a run saw: answers by operation and status, and failures as text, each with a curl command."""

    answers: dict[str, Counter[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return sum(counted.total() for counted in self.answers.values())

    def statuses(self) -> Counter[int]:
        return sum(self.answers.values(), Counter())

    def without(self, status: int) -> list[str]:
        """Operations that never gave `status`."""
        return sorted(name for name, counted in self.answers.items() if not counted[status])

    def add(self, finished: events.ScenarioFinished) -> None:
        recorder = finished.recorder
        for case_id, interaction in recorder.interactions.items():
            operation = recorder.cases[case_id].value.operation.label
            if interaction.response is None:
                self.failures.append(f"{operation}: no answer in {ANSWER_SECONDS} s")
            else:
                self.answers.setdefault(operation, Counter())[interaction.response.status_code] += 1
        for check in (check for checks in recorder.checks.values() for check in checks):
            if check.failure_info is not None:
                told = _told(check.failure_info.failure, check.failure_info.code_sample)
                self.failures.append(f"{recorder.label}, {check.name}: {told}")


@dataclass(frozen=True)
class Login:
    """Where a token is had, for which body, and under which name it is in the answer."""

    path: str
    body: Mapping[str, str]
    name: str = "access_token"

    def settings(self) -> Json:
        return {"path": self.path, "payload": dict(self.body), "extract_selector": f"/{self.name}"}


def ask(
    document: Json,
    url: str,
    *,
    token: str | Login | None,
    examples: int,
    known: Mapping[str, Sequence[str]] = _NOTHING,
    rules: Collection[str] = (),
    phases: Collection[str] = PHASES,
    personal_token: str | None = None,
) -> Findings:
    """Ask the service at `url` about `document`, as the bearer of `token` or as nobody; a `Login` is repeated whenever
    a case ended its session.

    `examples` is the number of random cases per operation, and `known` has values by parameter name that mean something
    to the service. `rules` are names of parameters and fields with rules that JSON schema cannot say: a 422 that names
    nothing else is a fair answer to what the schema admits. `personal_token` goes where a document asks for one. The
    same arguments give the same requests.
    """
    settings: Json = {
        "seed": SEED,
        "base-url": url,
        "request-timeout": ANSWER_SECONDS,
        "continue-on-failure": True,
        "workers": 1,
        "warnings": False,
        "operations": [_stream(path) for path in _streams(document)],
        "phases": {name: {"enabled": name in phases} for name in PHASES},
        "cache": {"enabled": False},
        "output": {"sanitization": {"enabled": False}, "truncation": {"enabled": False}},
        "generation": {"max-examples": examples, "deterministic": True, "no-shrink": True, "database": "none"},
        "dictionaries": {name: {"values": list(values)} for name, values in known.items()},
        "parameters": {name: {"dictionary": name, "probability": 0.7} for name in known},
    }
    fixed = {"bearerAuth": token if isinstance(token, str) else None, "personalToken": personal_token}
    if schemes := {name: {"bearer": text} for name, text in fixed.items() if text is not None}:
        settings["auth"] = {"openapi": schemes}
    if isinstance(token, Login):
        settings["auth"] = {**settings.get("auth", {}), "dynamic": {"openapi": {"bearerAuth": token.settings()}}}
    schema = schemathesis.openapi.from_dict(closed(document), config=schemathesis.Config.from_dict(settings))

    @schema.hook
    def filter_failure(_: Any, failure: Failure, __: Any, response: schemathesis.Response) -> bool:
        return not (isinstance(failure, RejectedPositiveData) and _names_only(rules, response))

    found = Findings()
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            found.add(event)
        elif isinstance(event, (events.NonFatalError, events.FatalError)):
            found.failures.append(str(event.info if isinstance(event, events.NonFatalError) else event.exception))
    return found


def _names_only(rules: Collection[str], response: schemathesis.Response) -> bool:
    errors = response.json().get("errors", {}) if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY else {}
    return bool(errors) and set(errors) <= set(rules)


def closed(document: Json) -> Json:
    """`document` with objects that have no other properties than those it names, so that an undocumented one fails."""
    copied = copy.deepcopy(document)
    for schema in _schemas(copied["components"]["schemas"]):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return copied


def _streams(document: Json) -> list[str]:
    """Paths that answer with Server-Sent Events, which do not end by themselves."""
    return [
        path
        for path, item in document["paths"].items()
        if "text/event-stream" in item.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
    ]


def _stream(path: str) -> Json:
    return {
        "include-path": path,
        "max-stream-events": 1,
        "request-timeout": STREAM_SECONDS,
        "generation": {"max-examples": 2},
        "phases": {"coverage": {"enabled": False}, "stateful": {"enabled": False}},
    }


def _schemas(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _schemas(item)


def _told(failure: Failure, curl: str) -> str:
    return f"{failure.title}\n{failure.message}\n{curl}"
