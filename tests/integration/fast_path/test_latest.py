"""The latest states over HTTP: what was published, in the shape and encoding that was asked for."""

import csv
import gzip
import io
import time
from typing import Any

import brotli
import pytest
import redis

from aro.contracts import shapes
from aro.contracts.codec import encode_json
from aro.contracts.names import chain_channel, live_key
from aro.contracts.shapes import AroundAtm, ChainShape
from aro.testing.echo import EchoService
from aro.testing.eventually import eventually
from aro.testing.gateway import CHAIN, EXPIRY, METRICS, SURFACE, Caller, Gateway, Market
from aro.testing.issuer import Issuer

ASKED = f"expiry={EXPIRY}"


def test_the_answer_is_the_published_bytes(gateway: Gateway, market: Market, caller: Caller) -> None:
    record = market.publish(EXPIRY)
    chain = caller.ask(CHAIN, ASKED)
    assert (chain.status_code, chain.headers["Content-Type"]) == (200, "application/json")
    assert chain.content == record.data
    assert caller.ask(METRICS, ASKED).content == encode_json(record.metrics)
    assert chain.headers["As-Of"] == record.chain.source_time
    assert chain.headers["Cache-Control"] == "private, no-cache"
    assert chain.headers["ETag"] == f'"{chain.headers["X-Epoch"]}-{chain.headers["X-Seq"]}"'
    assert (chain.headers["X-Seq"], chain.headers["Age"], chain.headers["X-Data-State"]) == ("1", "0", "live")


def test_a_surface_is_passed_through(gateway: Gateway, market: Market, caller: Caller) -> None:
    data = market.publish_surface()
    answer = caller.ask(SURFACE)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["As-Of"] == "2026-11-22T10:00:00.000+00:00"


def test_a_new_state_is_served_soon_with_a_new_tag(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish(EXPIRY)
    first = gateway.from_loop(caller, CHAIN, ASKED)
    record = market.publish(EXPIRY)
    second = eventually(
        lambda: (found := caller.ask(CHAIN, ASKED)).content == record.data and found, "the new state", seconds=2
    )
    assert (first.headers["X-Seq"], second.headers["X-Seq"]) == ("1", "2")
    assert first.headers["X-Epoch"] == second.headers["X-Epoch"]
    assert first.headers["ETag"] != second.headers["ETag"]


def test_no_answer_is_older_than_what_redis_had_fifty_milliseconds_ago(
    gateway: Gateway, market: Market, caller: Caller
) -> None:
    market.publish(EXPIRY)
    for _ in range(20):
        gateway.from_loop(caller, CHAIN, ASKED)
        record = market.publish(EXPIRY)
        published_at = time.monotonic()
        while (answer := caller.ask(CHAIN, ASKED)).content != record.data:
            # What a request that was sent later than that may still see.
            asked_after = time.monotonic() - published_at - answer.elapsed.total_seconds()
            assert asked_after < 0.05 + 0.02


def test_an_epoch_that_changed_is_another_tag(
    gateway: Gateway, market: Market, caller: Caller, redis_client: redis.Redis
) -> None:
    market.publish(EXPIRY)
    before = gateway.from_loop(caller, CHAIN, ASKED)
    # As after a restart of Redis: the history is another, its numbers start over.
    redis_client.hset(live_key(chain_channel("NIFTY", EXPIRY)), "run", "another")
    record = market.publish(EXPIRY)
    after = eventually(
        lambda: (found := caller.ask(CHAIN, ASKED)).content == record.data and found, "the new epoch", seconds=2
    )
    assert (before.headers["X-Seq"], after.headers["X-Seq"]) == ("1", "1")
    assert before.headers["X-Epoch"] != after.headers["X-Epoch"]
    stale = caller.ask(CHAIN, ASKED, If_None_Match=before.headers["ETag"])
    assert stale.status_code == 200


# --- 304 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CHAIN, METRICS])
def test_a_tag_that_still_holds_is_a_304_without_a_body(
    gateway: Gateway, market: Market, caller: Caller, path: str
) -> None:
    market.publish(EXPIRY)
    full = caller.ask(path, ASKED)
    for answer in (
        gateway.from_thread(caller, path, ASKED, If_None_Match=full.headers["ETag"]),
        gateway.from_loop(caller, path, ASKED, If_None_Match=full.headers["ETag"]),
        caller.ask(path, ASKED, If_None_Match=f'"another", W/{full.headers["ETag"]}'),
        caller.ask(path, ASKED, If_None_Match="*"),
    ):
        assert (answer.status_code, answer.content) == (304, b"")
        for name in ("ETag", "Cache-Control", "Vary", "As-Of", "X-Epoch", "X-Seq"):
            assert answer.headers[name] == full.headers[name]
        assert "Content-Type" not in answer.headers
        assert "Content-Length" not in answer.headers
    assert caller.ask(path, ASKED, If_None_Match='"another"').status_code == 200


def test_tags_tell_representations_apart(gateway: Gateway, market: Market, caller: Caller) -> None:
    for number in range(20):  # long enough to be worth compressing
        market.publish(f"2030-02-{number + 1:02}")
    market.publish(EXPIRY)
    answers = [
        caller.ask(CHAIN, ASKED, Accept=media, Accept_Encoding=encoding)
        for media in ("application/json", "text/csv")
        for encoding in ("identity", "gzip", "br")
    ]
    assert len({answer.headers["ETag"] for answer in answers}) == len(answers)
    assert all({"Accept", "Accept-Encoding"} <= set(answer.headers["Vary"].split(", ")) for answer in answers)


# --- encodings -----------------------------------------------------------------------------


def test_gzip_and_brotli_are_the_same_bytes(gateway: Gateway, market: Market, caller: Caller) -> None:
    record = market.publish(EXPIRY)
    for ask in (gateway.from_thread, gateway.from_loop):
        zipped = ask(caller, CHAIN, ASKED, Accept_Encoding="gzip")
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.content == record.data  # requests has unpacked it
        squeezed = ask(caller, CHAIN, ASKED, Accept_Encoding="br")
        assert squeezed.headers["Content-Encoding"] == "br"
        assert int(squeezed.headers["Content-Length"]) < len(record.data)


def test_the_compressed_bytes_are_what_their_name_says(gateway: Gateway, market: Market, caller: Caller) -> None:
    record = market.publish(EXPIRY)
    assert gzip.decompress(caller.sent_bytes(CHAIN, ASKED, Accept_Encoding="gzip")) == record.data
    assert brotli.decompress(caller.sent_bytes(CHAIN, ASKED, Accept_Encoding="br")) == record.data


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip, deflate, br", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("gzip;q=0", None),
        ("*", "br"),
        ("deflate", None),
        ("identity;q=0", None),
        (";;;,q=", None),
    ],
)
def test_the_encoding_is_the_clients_choice(
    gateway: Gateway, market: Market, caller: Caller, accepted: str, chosen: str | None
) -> None:
    record = market.publish(EXPIRY)
    answer = caller.ask(CHAIN, ASKED, Accept_Encoding=accepted)
    assert answer.headers.get("Content-Encoding") == chosen
    if chosen is None:
        assert answer.content == record.data


# --- shapes --------------------------------------------------------------------------------


def test_strikes_fields_and_rows(gateway: Gateway, market: Market, caller: Caller) -> None:
    record = market.publish(EXPIRY)
    shape = ChainShape(AroundAtm(0), frozenset({"spot", "iv"}))
    expected = shapes.render_chain(record.data, shape)
    for strikes in ("atm:0", "atm%C2%B10", "atm+-0", "atm%2B-0"):
        answer = caller.ask(CHAIN, f"{ASKED}&strikes={strikes}&fields=iv,spot")
        assert answer.content == expected
    rows = caller.ask(CHAIN, f"{ASKED}&shape=rows")
    assert rows.content == shapes.render_chain(record.data, ChainShape(rows=True))
    narrow = caller.ask(CHAIN, f"{ASKED}&strikes=24900..25000")
    assert narrow.json()["strikes"] == [24_900.0, 25_000.0]
    few = caller.ask(METRICS, f"{ASKED}&fields=pcr_oi")
    assert set(few.json()) == {*shapes.IDENTITY, "pcr_oi"}


def test_csv_for_chain_and_metrics(gateway: Gateway, market: Market, caller: Caller) -> None:
    record = market.publish(EXPIRY)
    answer = caller.ask(CHAIN, f"{ASKED}&strikes=atm:0&fields=iv", Accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    lines = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [line["symbol"][-2:] for line in lines] == ["CE", "PE"]
    assert {line["id"] for line in lines} == {record.chain.id}
    [metrics] = csv.DictReader(io.StringIO(caller.ask(METRICS, ASKED, Accept="text/csv").text, newline=""))
    assert metrics["pcr_oi"] == "0.7333"


def test_head_is_get_without_a_body(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish(EXPIRY)
    get = gateway.from_loop(caller, CHAIN, ASKED)
    head = caller.ask(CHAIN, ASKED, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.content))
    assert caller.ask(CHAIN, ASKED, method="HEAD", If_None_Match=get.headers["ETag"]).status_code == 304
    assert caller.ask(CHAIN, ASKED).content == get.content  # nothing was left in the connection


# --- which expiry --------------------------------------------------------------------------


def test_without_expiry_it_is_the_nearest_that_is_not_over(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish("2030-01-03", expires_in_ms=-1)
    market.publish("2030-01-17", expires_in_ms=60_000)
    market.publish("2030-01-10", expires_in_ms=30_000)
    for path in (CHAIN, METRICS):
        for answer in (caller.ask(path), gateway.from_loop(caller, path)):
            assert answer.json()["expiry"] == "2030-01-10"
    assert caller.ask(CHAIN, "expiry=2030-01-03").json()["expiry"] == "2030-01-03"


def test_an_expiry_that_ends_is_left_for_the_next(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish("2030-01-10", expires_in_ms=1_500)
    market.publish("2030-01-17")
    assert gateway.from_loop(caller, CHAIN).json()["expiry"] == "2030-01-10"
    eventually(lambda: caller.ask(CHAIN).json()["expiry"] == "2030-01-17", "the next expiry", seconds=5)
    assert gateway.from_loop(caller, CHAIN).json()["expiry"] == "2030-01-17"


# --- age -----------------------------------------------------------------------------------


def test_a_feed_that_stopped_is_served_and_said_to_be_stale(gateway: Gateway, market: Market, caller: Caller) -> None:
    record = market.publish(EXPIRY, age_ms=10_000)
    for ask in (gateway.from_thread, gateway.from_loop):
        answer = ask(caller, CHAIN, ASKED)
        assert (answer.status_code, answer.content) == (200, record.data)
        assert answer.headers["X-Data-State"] == "stale"
        assert ask(caller, CHAIN, ASKED, If_None_Match=answer.headers["ETag"]).headers["X-Data-State"] == "stale"
    eventually(lambda: int(caller.ask(CHAIN, ASKED).headers["Age"]) >= 1, "the state to age")


# --- what is not for the fast path ---------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (CHAIN, f"{ASKED}&as_of=2026-11-22T10:00:00Z"),
        (CHAIN, f"{ASKED}&strikes=near"),
        (CHAIN, f"{ASKED}&fields={','.join(['iv'] * 600)}"),
        (CHAIN, f"{ASKED}&fields=vegga"),
        (CHAIN, f"{ASKED}&shape=circle"),
        (CHAIN, f"{ASKED}&colour=red"),
        (CHAIN, f"{ASKED}&{ASKED}"),
        (CHAIN, "expiry=2030-1-31"),
        (CHAIN, "expiry="),
        (CHAIN, "expiry=2030-01-31%FF"),
        (CHAIN, "expiry=2031-01-31"),  # nothing was published
        (METRICS, f"{ASKED}&strikes=atm:1"),
        ("/api/v1/chains/SENSEX", ""),
        ("/api/v1/chains/TULIP", ""),
        ("/api/v1/chains/nifty", ""),
        (f"{CHAIN}/", ASKED),
        (f"{CHAIN}/history", ASKED),
        (SURFACE, ""),
        (SURFACE, "as_of=1795000000000"),
    ],
)
def test_everything_else_goes_to_the_service_behind(
    gateway: Gateway, echo: EchoService, market: Market, caller: Caller, path: str, query: str
) -> None:
    market.publish(EXPIRY)
    answer = caller.ask(path, query)
    assert answer.headers["X-Echo"] == "yes"
    echoed = answer.json()
    assert (echoed["path"], echoed["query"]) == (path, query)


def test_what_this_state_cannot_be_shaped_to_goes_to_storage(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish(EXPIRY, forward=None, atm_strike=None)
    assert caller.ask(CHAIN, f"{ASKED}&strikes=atm:1").headers["X-Echo"] == "yes"
    assert "X-Echo" not in caller.ask(CHAIN, ASKED).headers


@pytest.mark.parametrize(
    "broken", [{"data": b"\xff{"}, {"data": b"[]"}, {"seq": "many"}, {"epoch": b"\xff"}, {"ts": ""}, {"data": b"{}"}]
)
def test_a_state_that_no_worker_wrote_is_not_passed_on_and_does_no_harm(
    gateway: Gateway, market: Market, caller: Caller, redis_client: redis.Redis, broken: dict[str, Any]
) -> None:
    record = market.publish(EXPIRY)
    market.publish("2030-02-28")
    other = "expiry=2030-02-28"
    gateway.from_loop(caller, CHAIN, other)
    redis_client.hset(live_key(chain_channel("NIFTY", EXPIRY)), mapping={"seq": 9, **broken})
    answer = caller.ask(CHAIN, ASKED)
    assert answer.headers.get("X-Echo") == "yes" or answer.content == record.data
    eventually(lambda: caller.ask(CHAIN, ASKED).headers.get("X-Echo") == "yes", "storage to be asked")
    assert gateway.from_loop(caller, CHAIN, other).status_code == 200


def test_only_get_and_head(gateway: Gateway, market: Market, caller: Caller) -> None:
    market.publish(EXPIRY)
    assert caller.ask(CHAIN, ASKED, method="POST").headers.get("X-Echo") == "yes"


# --- who may ask ---------------------------------------------------------------------------


def test_the_fast_path_lets_nobody_in_whom_the_others_refuse(gateway: Gateway, market: Market, issuer: Issuer) -> None:
    market.publish(EXPIRY)
    with Caller(gateway.url, issuer.token()) as caller:
        gateway.from_loop(caller, CHAIN, ASKED)
        # On the very connection that the loop answers.
        for authorization, code in (("", "token_missing"), ("Bearer nonsense", "token_invalid")):
            answer = caller.ask(CHAIN, ASKED, Authorization=authorization)
            assert (answer.status_code, answer.json()["code"]) == (401, code)
            assert answer.headers["Content-Type"] == "application/problem+json"
        # Scopes are asked for by the service behind.
        account_only = f"Bearer {issuer.token(scopes=frozenset({'account'}))}"
        for _ in range(3):
            assert caller.ask(CHAIN, ASKED, Authorization=account_only).headers["X-Echo"] == "yes"
