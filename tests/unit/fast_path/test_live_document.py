"""The three operations of the fast path say which headers they have; nothing else changes."""

import copy

from api_gateway.live_document import HEADERS, with_live_headers

OPERATION = {
    "summary": "The chain",
    "responses": {"200": {"headers": {"ETag": {}}}, "304": {"description": "Not modified"}, "404": {"$ref": "#/x"}},
}
CHAIN = "/api/v1/chains/{product}"
OTHER = f"{CHAIN}/history"


def test_the_operations_of_the_fast_path_are_described() -> None:
    document = {"paths": {CHAIN: {"get": OPERATION}, OTHER: {"get": OPERATION}}}
    before = copy.deepcopy(document)
    described = with_live_headers(document)
    assert document == before
    assert described["paths"][OTHER] == before["paths"][OTHER]
    responses = described["paths"][CHAIN]["get"]["responses"]
    assert set(responses["200"]["headers"]) == {"ETag", *HEADERS}
    assert set(responses["304"]["headers"]) == {*HEADERS}
    assert responses["404"] == {"$ref": "#/x"}


def test_a_document_without_them_is_left_as_it_is() -> None:
    assert with_live_headers({"paths": {}}) == {"paths": {}}
