"""Blueprints whose arguments are checked by marshmallow schemas; what does not fit is a 422 that names the fields."""

from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

import flask
import msgspec
from flask_smorest import Blueprint as SmorestBlueprint  # type: ignore[import-untyped]
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from aro.contracts.problems import AroError, InvalidRequest
from aro.runtime.answers import JSON, answers
from aro.runtime.web import body_bytes

View = TypeVar("View", bound=Callable[..., Any])

_WHOLE: Final = "_schema"
"""Marshmallow's name for what is wrong with no single field."""


class _Parser(FlaskParser):
    # A misspelt parameter that is ignored gives a plausible answer to another question.
    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": RAISE, "json": RAISE}  # noqa: RUF012

    def load_json(self, req: flask.Request, *_: Any) -> Any:
        if not req.is_json:
            raise UnsupportedMediaType
        try:
            # Stricter than the standard library: no lone surrogates, no NaN, and no recursion error gets out.
            return msgspec.json.decode(body_bytes())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BadRequest from None

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        by_location: dict[str, dict[str, Any]] = error.normalized_messages()  # type: ignore[no-untyped-call]
        location, messages = next(iter(by_location.items()))
        whole = "body" if location == "json" else location
        errors = {whole if field == _WHOLE else field: reasons for field, reasons in messages.items()}
        raise InvalidRequest(f"not valid: {', '.join(sorted(errors))}", errors=errors)


class Blueprint(SmorestBlueprint):  # type: ignore[misc]
    """flask-smorest's, with our errors and with types. Its views return finished responses."""

    ARGUMENTS_PARSER = _Parser()

    def get(self, rule: str, **options: Any) -> Callable[[View], View]:
        decorator: Callable[[View], View] = super().get(rule, **options)
        return decorator

    def post(self, rule: str, **options: Any) -> Callable[[View], View]:
        decorator: Callable[[View], View] = super().post(rule, **options)
        return decorator

    def put(self, rule: str, **options: Any) -> Callable[[View], View]:
        decorator: Callable[[View], View] = super().put(rule, **options)
        return decorator

    def patch(self, rule: str, **options: Any) -> Callable[[View], View]:
        decorator: Callable[[View], View] = super().patch(rule, **options)
        return decorator

    def delete(self, rule: str, **options: Any) -> Callable[[View], View]:
        decorator: Callable[[View], View] = super().delete(rule, **options)
        return decorator

    def arguments(self, schema: type[Schema], *, location: str = "json", **options: Any) -> Callable[[View], View]:
        """Call the view with what `schema` made of the query string or JSON body, as its next argument."""
        decorator: Callable[[View], View] = super().arguments(schema, location=location, **options)
        return decorator

    def doc(self, **operation: Any) -> Callable[[View], View]:
        """Set keys of the OpenAPI operation by hand: ``parameters`` are merged by name, other keys win."""
        decorator: Callable[[View], View] = super().doc(**operation)
        return decorator

    def answers(
        self,
        schema: Any,
        description: str,
        *,
        status: int = 200,
        problems: tuple[type[AroError], ...] = (),
        csv: bool = False,
        example: Any = None,
        headers: tuple[str, ...] = (),
        media_type: str = JSON,
    ) -> Callable[[View], View]:
        """Document one status of a view; it does not touch the response. Stack it for several.

        `schema` is a msgspec Struct, a ``list`` of it or any annotation that msgspec describes, a JSON schema, or None
        for an answer without body. `problems` are those of this route only: what the frame may answer is known to it.
        `headers` are names of `aro.runtime.openapi.HEADERS`. `csv`: ``Accept: text/csv`` gives the same as CSV.
        """
        return answers(
            schema,
            description,
            status=status,
            problems=problems,
            csv=csv,
            example=example,
            headers=headers,
            media_type=media_type,
        )
