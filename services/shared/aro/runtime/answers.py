"""What a route declares about its answers. It changes nothing at run time: `aro.runtime.openapi` reads it."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from aro.contracts.problems import AroError

View = TypeVar("View", bound=Callable[..., Any])

JSON: Final = "application/json"
_ATTRIBUTE: Final = "documented_answers"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One status of one route. `schema` is a type that msgspec can describe, a JSON schema, or None: no body."""

    schema: Any
    description: str
    status: int = 200
    problems: tuple[type[AroError], ...] = ()
    csv: bool = False
    example: Any = None
    headers: tuple[str, ...] = ()
    media_type: str = JSON


def answers(schema: Any, description: str, **more: Any) -> Callable[[View], View]:
    """Declare one status of a view; see `Answer` for the rest. Stacks, the uppermost first."""
    answer = Answer(schema=schema, description=description, **more)

    def mark(view: View) -> View:
        setattr(view, _ATTRIBUTE, (answer, *answers_of(view)))
        return view

    return mark


def answers_of(view: Callable[..., Any]) -> tuple[Answer, ...]:
    """What was declared, in the order it reads. Decorators in between keep it if they use `functools.wraps`."""
    declared: tuple[Answer, ...] = getattr(view, _ATTRIBUTE, ())
    return declared
