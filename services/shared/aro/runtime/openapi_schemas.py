"""JSON schemas of one OpenAPI document: of arguments from marshmallow, of answers from msgspec, under one roof."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields
from webargs.fields import DelimitedList, DelimitedTuple

from aro.runtime.answers import Answer

Json = dict[str, Any]

OPENAPI_VERSION: Final = "3.1.0"
_REFERENCE: Final = "#/components/schemas/{name}"
_NULL: Final = {"type": "null"}
_ARGUMENT_LOCATIONS: Final = {"query": "query", "headers": "header", "path": "path"}


def arguments_of(view: Callable[..., Any]) -> list[Json]:
    """What `Blueprint.arguments` noted at a view, the outermost last: ``{"in", "schema", "required", …}`` each."""
    noted: list[Json] = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    return noted


class Schemas:
    """Filled with all `answers` at once, because msgspec names types that are called alike only if it sees them all."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        typed = [answer for answer in answers if answer.schema is not None and not isinstance(answer.schema, dict)]
        found, self._answered = msgspec.json.schema_components(
            [answer.schema for answer in typed], ref_template=_REFERENCE
        )
        self._of_answer = {id(answer): schema for answer, schema in zip(typed, found, strict=True)}
        plugin = MarshmallowPlugin(schema_name_resolver=_name)
        # The converter is made by the spec; title and version of it are never shown.
        self._spec = APISpec("", "", OPENAPI_VERSION, plugins=[plugin])
        plugin.converter = _Converter(OPENAPI_VERSION, _name, self._spec)
        self._converter = plugin.converter

    def of_answer(self, answer: Answer) -> Json:
        return answer.schema if isinstance(answer.schema, dict) else self._of_answer[id(answer)]

    def parameters(self, argument: Json) -> list[Json]:
        """Parameter objects, for arguments that are not a body."""
        location = _ARGUMENT_LOCATIONS[argument["in"]]
        found: list[Json] = self._converter.schema2parameters(argument["schema"], location=location)
        return [_as_text(parameter) for parameter in found]

    def body(self, argument: Json) -> Json:
        media: Json = {"schema": self._converter.resolve_nested_schema(argument["schema"])}  # type: ignore[no-untyped-call]
        media |= {name: argument[name] for name in ("example", "examples") if name in argument}
        described = {"description": argument["description"]} if "description" in argument else {}
        return {
            **described,
            "required": argument["required"],
            "content": {argument.get("content_type", "application/json"): media},
        }

    def components(self) -> Json:
        """Every named schema so far. ValueError if an argument and an answer have the same name."""
        asked: Json = self._spec.components.schemas
        if both := asked.keys() & self._answered.keys():
            raise ValueError(f"schemas of a request and of an answer are both called {', '.join(sorted(both))}")
        return {name: _cleaned(schema) for name, schema in sorted({**asked, **self._answered}.items())}


class _Converter(OpenAPIConverter):
    """Knows fields that describe themselves with an attribute ``json_schema``, and lists that are written ``a,b,c``."""

    def init_attribute_functions(self) -> None:
        super().init_attribute_functions()  # type: ignore[no-untyped-call]
        self.attribute_functions.append(self._own_schema)

    def list2param(self, field: fields.Field[Any], **options: Any) -> Json:
        found: Json = super().list2param(field, **options)
        return {**found, "explode": False} if isinstance(field, (DelimitedList, DelimitedTuple)) else found

    def _own_schema(self, field: fields.Field[Any], *, ret: Json, **_: Any) -> Json:
        own: Json | None = getattr(field, "json_schema", None)
        if own is None:
            return {}
        for name in ("type", "format", "default"):  # said in the words of the class that it inherits from
            ret.pop(name, None)
        return {"anyOf": [own, _NULL]} if field.allow_none else own


def _name(schema: type[Schema] | Schema) -> str:
    cls = schema if isinstance(schema, type) else type(schema)
    return cls.__name__.removesuffix("Schema")


def _as_text(parameter: Json) -> Json:
    """A parameter that is left out has no value; ``null`` cannot be written into a query string."""
    schema = dict(parameter["schema"])
    if schema.get("anyOf", [])[1:] == [_NULL]:
        schema |= schema.pop("anyOf")[0]
    if isinstance(schema.get("type"), list):
        schema["type"] = next(kind for kind in schema["type"] if kind != "null")
    default = schema.pop("default", None)
    # A field may make something else of the text, and then its default is of that kind.
    if default is not None and default in schema.get("enum", [default]):
        schema["default"] = default
    return {**parameter, "schema": schema}


def _cleaned(schema: Json) -> Json:
    return {**schema, "description": inspect.cleandoc(schema["description"])} if "description" in schema else schema
