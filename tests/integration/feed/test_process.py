"""``python -m feed_generator`` as a process, on a real Redis: what it publishes and what it survives."""

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from itertools import pairwise
from pathlib import Path

import pytest

from aro.contracts.codec import decode_chain, decode_tick
from aro.contracts.names import FIELD_MESSAGE, KEY_LAST_SOURCE_SEQ, STREAM_CHAINS, STREAM_TICKS
from aro.testing.eventually import eventually
from aro.testing.servers import Process, RedisServer, free_port

CAPTURE = Path(__file__).parents[2] / "unit" / "feed" / "captures" / "nifty_2022-03-28.json"
INTERVAL = 0.1


class FeedProcess(Process):
    def __init__(self, redis_url, log, *options):
        self.port = free_port()
        environ = {
            **os.environ,
            "ARO_REDIS_URL": redis_url,
            "ARO_OPERATIONS_PORT": str(self.port),
            "ARO_FEED_INTERVAL": str(INTERVAL),
        }
        super().__init__([sys.executable, "-m", "feed_generator", *options], log, environ=environ)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=3) as response:
            return response.read().decode()


@pytest.fixture
def start(redis_server, redis_client, tmp_path):
    """Start a feed on the session's (empty) Redis; all are stopped at the end."""
    running = []

    def start_one(*options, url=redis_server.url):
        feed = FeedProcess(url, tmp_path / f"feed{len(running)}.log", *options)
        feed.start()
        running.append(feed)
        return feed

    yield start_one
    for feed in running:
        feed.kill()


def chains(client):
    return [decode_chain(fields[FIELD_MESSAGE.encode()]) for _, fields in client.xrange(STREAM_CHAINS)]


def ticks(client):
    return [decode_tick(fields[FIELD_MESSAGE.encode()]) for _, fields in client.xrange(STREAM_TICKS)]


def at_least(client, count, feed):
    def enough():
        assert feed.is_running, feed.output()
        return client.xlen(STREAM_TICKS) >= count

    eventually(enough, f"{count} ticks", seconds=20)


def rising(messages):
    """Per key, every number is above the one before."""
    by_key = {}
    for message in messages:
        by_key.setdefault((message.product, getattr(message, "expiry", None)), []).append(message.source_seq)
    return all(later > earlier for numbers in by_key.values() for earlier, later in pairwise(numbers))


def test_synthetic_chains_flow_with_metrics_health_and_truth(start, redis_client, tmp_path):
    truth = tmp_path / "truth.jsonl"
    feed = start("--products", "NIFTY,SPY", "--seed", "5", "--truth", str(truth))
    at_least(redis_client, 8, feed)
    published = chains(redis_client)
    assert {chain.product for chain in published} == {"NIFTY", "SPY"}
    assert rising(published)
    assert rising(ticks(redis_client))
    assert json.loads(feed.get("/readyz"))["status"] == json.loads(feed.get("/livez"))["status"] == "ok"
    metrics = feed.get("/metrics")
    assert 'feed_ticks_published_total{product="NIFTY"}' in metrics
    assert 'feed_last_tick_timestamp_seconds{product="SPY"}' in metrics
    assert feed.stop() == 0
    truths = {(line["expiry"], line["source_seq"]) for line in map(json.loads, truth.read_text().splitlines())}
    assert {(chain.expiry, chain.source_seq) for chain in chains(redis_client)} <= truths


def test_a_replay_keeps_streaming_one_capture(start, redis_client):
    feed = start("--provider", "replay", "--file", str(CAPTURE))
    at_least(redis_client, 3, feed)
    published = [chain for chain in chains(redis_client) if chain.expiry == "2022-03-31"]
    assert len({chain.expiry_ts - chain.source_ts for chain in published}) == 1
    assert len({chain.source_ts for chain in published}) == len(published) >= 3
    assert {sum(filter(None, chain.calls.open_interest)) for chain in published} == {1375.0}
    assert {chain.origin for chain in published} == {"replay"}


def test_numbers_go_on_after_a_restart_even_with_an_older_clock(start, redis_client):
    ahead = int(time.time() * 1000) + 3_600_000
    redis_client.hset(KEY_LAST_SOURCE_SEQ, mapping={"NIFTY": ahead})
    first = start("--products", "NIFTY")
    at_least(redis_client, 3, first)
    first.kill()
    seen = redis_client.xlen(STREAM_TICKS)
    second = start("--products", "NIFTY")
    at_least(redis_client, seen + 3, second)
    published = ticks(redis_client)
    assert published[0].source_seq > ahead
    assert rising(published)
    assert rising(chains(redis_client))


def test_a_stopped_feed_makes_no_burst_when_it_goes_on(start, redis_client):
    feed = start("--products", "NIFTY")
    at_least(redis_client, 3, feed)
    feed.signal(signal.SIGSTOP)
    before = redis_client.xlen(STREAM_TICKS)
    paused = time.time()
    eventually(lambda: time.time() - paused > 2.5, "the pause to be over")
    feed.signal(signal.SIGCONT)
    at_least(redis_client, before + 8, feed)
    stamps = [tick.source_ts for tick in ticks(redis_client)]
    gaps = [later - earlier for earlier, later in pairwise(stamps)]
    assert max(gaps) > 2_300
    resumed = stamps[gaps.index(max(gaps)) + 1]
    # One for each interval, the interrupted one, and room for a machine that is busy; a burst would be 25.
    assert sum(resumed <= stamp < resumed + 700 for stamp in stamps) <= 12
    skipped = next(line for line in feed.get("/metrics").splitlines() if line.startswith("feed_skipped_ticks_total"))
    assert float(skipped.split()[1]) >= 20


def test_a_killed_redis_is_survived_without_a_hole(start, tmp_path):
    server = RedisServer(tmp_path / "redis")
    server.start()
    client = server.client()
    feed = start("--products", "NIFTY", "--truth", str(tmp_path / "truth.jsonl"), url=server.url)
    try:
        at_least(client, 5, feed)
        server.kill()
        eventually(lambda: "feed_publish_errors_total 0.0" not in feed.get("/metrics"), "the feed to notice")
        server.start()
        back = time.time() * 1000
        eventually(lambda: any(tick.source_ts > back for tick in ticks(client)), "fresh ticks", seconds=10)
        assert feed.is_running
        assert feed.stop() == 0
        made = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
        stored = {(chain.expiry, chain.source_seq) for chain in chains(client)}
        assert {(truth["expiry"], truth["source_seq"]) for truth in made} == stored
    finally:
        client.close()
        server.kill()


def test_a_feed_that_starts_before_redis_waits_for_it(start, tmp_path):
    server = RedisServer(tmp_path / "redis")
    feed = start("--products", "NIFTY", url=server.url)

    def waiting():
        try:
            feed.get("/readyz")
        except urllib.error.HTTPError as error:
            return error.code == 503
        except OSError as error:
            raise AssertionError(str(error)) from None

    eventually(waiting, "the feed to say that it is not ready")
    server.start()
    client = server.client()
    try:
        at_least(client, 2, feed)
        assert feed.stop() == 0
    finally:
        client.close()
        server.kill()


def test_an_unknown_product_ends_the_start_with_one_line(start):
    feed = start("--products", "DAX")
    eventually(lambda: not feed.is_running, "the feed to refuse")
    assert feed.stop() == 2
    assert feed.output().startswith("feed-generator cannot start: 'DAX' is not a product")


def test_the_whole_nse_flows(start, redis_client):
    feed = start("--universe", "nse", "--interval", "5")
    at_least(redis_client, 220, feed)
    eventually(lambda: redis_client.xlen(STREAM_CHAINS) >= 661, "all chains", seconds=10)
    assert len({tick.product for tick in ticks(redis_client)}) == 220
    assert 85_000 <= sum(2 * len(chain.strikes) for chain in chains(redis_client)[:661]) <= 95_000
