"""One OpenAPI document made of those of the services. All pure."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from aro.runtime.web import PROBLEM_JSON

Json = dict[str, Any]

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_COMPONENTS: Final = "#/components/"


def merge(own: Json, parts: Mapping[str, Json], *, owner: Callable[[str], str | None], added: tuple[str, ...]) -> Json:
    """`own` with the paths of `parts` (by service) that `owner` says belong to that service.

    Where a path and method are in both, `own` holds. A component, operation id or tag that means something else in
    another part is renamed after its service. `added` are responses of `own` that every operation may answer.
    """
    merged = copy.deepcopy(own)
    tags: list[Json] = []
    for service, part in parts.items():
        part = _renamed(part, merged["components"], service)
        for kind, entries in part.get("components", {}).items():
            merged["components"][kind] = {**merged["components"].get(kind, {}), **entries}
        for path, item in part.get("paths", {}).items():
            if owner(path) == service:
                item = _answering(item, merged["components"], added)
                merged["paths"][path] = {**item, **merged["paths"].get(path, {})}
        used = {tag for item in merged["paths"].values() for tag in _tags(item)}
        known = {tag["name"] for tag in (*tags, *own["tags"])}
        tags += [tag for tag in part.get("tags", []) if tag["name"] in used - known]
    # What people come for first.
    merged["tags"] = tags + merged["tags"]
    merged["paths"] = dict(sorted(merged["paths"].items()))
    _tell_apart(merged["paths"], owner)
    return merged


def operations(paths: Mapping[str, Json]) -> Iterator[tuple[str, str, Json]]:
    """(path, method, operation) of a document's ``paths``."""
    for path, item in paths.items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _tags(item: Json) -> list[str]:
    return [tag for _, _, operation in operations({"": item}) for tag in operation.get("tags", [])]


def _renamed(part: Json, present: Json, service: str) -> Json:
    """`part` with other names for those of its components that are something else in `present`."""
    names = _clashes(part, present, service)
    if not names:
        return part
    renamed: Json = _with_references(part, names)
    for kind, entries in renamed["components"].items():
        renamed["components"][kind] = {
            names.get(f"{_COMPONENTS}{kind}/{name}", f"/{name}").rpartition("/")[2]: entry
            for name, entry in entries.items()
        }
    return renamed


def _clashes(part: Json, present: Json, service: str) -> dict[str, str]:
    """Reference → another one, for the components that mean something else there, or refer to one that does."""
    names: dict[str, str] = {}
    while True:
        found = {
            f"{_COMPONENTS}{kind}/{name}": f"{_COMPONENTS}{kind}/{service}.{name}"
            for kind, entries in part.get("components", {}).items()
            for name, entry in entries.items()
            if name in present.get(kind, {}) and present[kind][name] != _with_references(entry, names)
        }
        if found == names:
            return names
        names = found


def _with_references(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: names.get(entry, entry) if key == "$ref" and isinstance(entry, str) else _with_references(entry, names)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_with_references(entry, names) for entry in value]
    return value


def _answering(item: Json, components: Json, added: tuple[str, ...]) -> Json:
    """`item` with the responses named by `added` in each operation; codes of one status are put together."""
    changed = dict(item)
    for _, method, operation in operations({"": item}):
        responses = dict(operation["responses"])
        for name in added:
            status = name.split("-")[1]
            responses[status] = _either(responses.get(status), name, components)
        changed[method] = {**operation, "responses": dict(sorted(responses.items()))}
    return changed


def _either(present: Json | None, name: str, components: Json) -> Json:
    reference = {"$ref": f"{_COMPONENTS}responses/{name}"}
    if present is None:
        return reference
    other = present.get("$ref", "").rpartition("/")[2]
    if not other:
        return present
    codes = sorted({*_codes(components["responses"][other]), *_codes(components["responses"][name])})
    union = "-".join((*name.split("-")[:2], *codes))
    if union not in components["responses"]:
        components["responses"] = {
            **components["responses"],
            union: _with_codes(components["responses"][name], components["responses"][other], codes),
        }
    return {"$ref": f"{_COMPONENTS}responses/{union}"}


def _codes(response: Json) -> list[str]:
    found: list[str] = _narrowing(response)["code"]["enum"]
    return found


def _with_codes(response: Json, other: Json, codes: list[str]) -> Json:
    narrowing = {"properties": {**_narrowing(response), "code": {"enum": codes}}}
    schema = response["content"][PROBLEM_JSON]["schema"]
    return {
        "description": " or ".join(codes),
        "headers": {**other.get("headers", {}), **response.get("headers", {})},
        "content": {PROBLEM_JSON: {"schema": {"allOf": [schema["allOf"][0], narrowing]}}},
    }


def _narrowing(response: Json) -> Json:
    found: Json = response["content"][PROBLEM_JSON]["schema"]["allOf"][1]["properties"]
    return found


def _tell_apart(paths: Mapping[str, Json], owner: Callable[[str], str | None]) -> None:
    seen: set[str] = set()
    for path, _, operation in operations(paths):
        if operation.get("operationId") in seen:
            operation["operationId"] = f"{owner(path) or 'gateway'}_{operation['operationId']}"
        seen.add(operation.get("operationId", ""))
