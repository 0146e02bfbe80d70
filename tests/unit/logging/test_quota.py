"""A quota is spent whole or not at all, fills again, and holds for everyone together."""

import pytest

from aro.adapters.clock import ManualClock
from aro.contracts.problems import RateLimited
from logging_service import quota as module
from logging_service.quota import IngestQuota


def made(clock: ManualClock, **limits: int) -> IngestQuota:
    chosen = {"lines_per_minute": 60, "bytes_per_day": 10_000, "max_bytes": 4_000_000, **limits}
    return IngestQuota(clock, retention_days=1, **chosen)


def test_lines_come_back_with_time() -> None:
    clock = ManualClock(0)
    quota = made(clock)
    quota.spend("a", lines=60, size=1)
    with pytest.raises(RateLimited) as refused:
        quota.spend("a", lines=30, size=1)
    assert refused.value.retry_after == 31
    quota.spend("b", lines=60, size=1)
    clock.advance(30)
    quota.spend("a", lines=30, size=1)
    with pytest.raises(RateLimited):
        quota.spend("a", lines=1, size=1)


def test_what_is_refused_costs_nothing() -> None:
    clock = ManualClock(0)
    quota = made(clock)
    quota.spend("a", lines=30, size=5_000)
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            quota.spend("a", lines=1, size=10_000)
        assert refused.value.retry_after == pytest.approx(43_200, abs=2)
    quota.spend("a", lines=30, size=5_000)


def test_a_batch_larger_than_the_quota_passes_once_it_is_full() -> None:
    clock = ManualClock(0)
    quota = made(clock)
    quota.spend("a", lines=100, size=1)
    clock.advance(60)
    with pytest.raises(RateLimited):
        quota.spend("a", lines=100, size=1)
    clock.advance(60)
    quota.spend("a", lines=100, size=1)


def test_all_accounts_together_have_their_share_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ACCOUNTS", 5)
    quota = made(ManualClock(0), max_bytes=40_000)
    for account in range(10):
        quota.spend(str(account), lines=1, size=1_000)
    with pytest.raises(RateLimited):
        quota.spend("one more", lines=1, size=1_000)
    assert len(quota._accounts) <= 5
