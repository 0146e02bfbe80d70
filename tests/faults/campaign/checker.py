"""Did the platform keep its promises? A function of the history alone, in the manner of Jepsen's checkers.

What is promised, and by which decision:

* What Redis acknowledged to the feed is in MongoDB once, whatever is killed, hung, cut off or slow: the feed sends
  again what a dying Redis may take along (`feed_generator.sender`), and the ledger what no worker acknowledged.
* A Redis that loses everything takes along what the ledger held at that moment, except what was acknowledged less than
  `AT_RISK_MS` before the newest acknowledgement: that much the feed sends again. Nothing else is excused.
* MongoDB holds nothing that the feed did not make, and what clients were shown is what is stored.
* A client's sequence has no hole and no step back that it was not told of (`aro.testing.continuity`); a restarted
  Redis is a new epoch (decision 0002).
* MongoDB away or broken does not stop the live stream (decision 0003).
* While the status says that a product is live, what a client shows of it is at most `live_age_ms` old.
* After the last fault clients, Redis and MongoDB hold the same.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from aro.contracts.names import (
    COLLECTION_CHAINS,
    chain_channel,
    snapshot_id,
)
from aro.testing.continuity import Truth
from campaign.facts import STATES, Facts, Healing, Report, Violation, collections_of, sort
from campaign.history import Event
from campaign.shown import check_client

AT_RISK_MS = 3_000
"""See `feed_generator.sender.AT_RISK_SECONDS`."""
FUZZ_MS = 300
"""The log of the feed is read this much later at most; an acknowledgement as old as that may be on either side."""


def check(history: Iterable[Event], *, live_age_ms: float, heal_ms: float) -> Report:
    """`heal_ms`: how long after a fault every client must have fresh news again."""
    facts = sort(history)
    report = Report(made=len(facts.made), acknowledged=len(facts.acknowledged))
    report.stored.update({name: len(found) for name, found in facts.stored.items()})
    excused = _excused(facts)
    rules: list[Callable[[Facts, set[str], Report], Iterator[Violation]]] = [
        _lost,
        _stored_once,
        _unexpected,
        _dead_letters,
        _end,
    ]
    for rule in rules:
        report.violations += rule(facts, excused, report)
    truth = Truth()
    for client, events in sorted(facts.clients.items()):
        report.violations += check_client(client, events, facts, excused, truth, report, live_age_ms)
    report.healings = [_healing(fault, facts) for fault in facts.faults]
    report.violations += _heals(report.healings, facts, heal_ms)
    report.violations.sort(key=lambda violation: violation.at)
    return report


def _excused(facts: Facts) -> set[str]:
    """What a Redis that lost everything may have taken along."""
    excused: set[str] = set()
    for loss in facts.held:
        before = [event for event in facts.acknowledgements if event["at"] <= loss["at"] + FUZZ_MS]
        newest = max((event["stamp"] for event in before), default=0.0)
        sent_again = {
            name for event in before if newest - event["stamp"] <= AT_RISK_MS - FUZZ_MS for name in event["ids"]
        }
        excused.update(set(loss["ids"]) - sent_again)
    return excused


def _lost(facts: Facts, excused: set[str], report: Report) -> Iterator[Violation]:
    dead = {letter["id"]: letter["reason"] for letter in facts.dead}
    for name, event in facts.acknowledged.items():
        missing = [collection for collection in collections_of(name) if name not in facts.stored[collection]]
        if missing and name in excused:
            report.excused += 1
        elif missing:
            why = f", a dead letter: {dead[name]}" if name in dead else ""
            text = f"{name} was acknowledged and is not in {', '.join(missing)}{why}"
            yield Violation("lost", event["at"], (name,), text)


def _stored_once(facts: Facts, _: set[str], __: Report) -> Iterator[Violation]:
    for collection, documents in facts.stored.items():
        for name, event in documents.items():
            if event["times"] != 1:
                text = f"{name} is {event['times']} times in {collection}"
                yield Violation("duplicated", event["at"], (name,), text)


def _unexpected(facts: Facts, _: set[str], __: Report) -> Iterator[Violation]:
    for collection, documents in facts.stored.items():
        for name, event in documents.items():
            if name not in facts.made:
                text = f"{name} is in {collection}; the feed never made it"
                yield Violation("unexpected", event["at"], (name,), text)


def _dead_letters(facts: Facts, _: set[str], __: Report) -> Iterator[Violation]:
    """Each poison is one, for its reason, and nothing else is; a Redis that lost everything lost them."""
    found = {letter["entry"]: letter for letter in facts.dead}
    last_loss = max((loss["at"] for loss in facts.held), default=0.0)
    for entry, poison in facts.poison.items():
        reason = found[entry]["reason"] if entry in found else None
        if reason != poison["reason"] and poison["at"] > last_loss:
            text = f"{entry} must be a dead letter for {poison['reason']} and is one for {reason}"
            yield Violation("dead letter", poison["at"], (entry,), text)
    for letter in facts.dead:
        if letter["entry"] not in facts.poison:
            text = f"{letter['id'] or letter['entry']} is a dead letter: {letter['reason']}"
            yield Violation("dead letter", letter["at"], (letter["id"] or letter["entry"],), text)


def _end(facts: Facts, _: set[str], __: Report) -> Iterator[Violation]:
    """Redis and MongoDB hold the same last states, and nothing is owed."""
    if facts.end is None or not facts.end["drained"]:
        at = facts.end["at"] if facts.end else 0.0
        yield Violation("not recovered", at, (), "the ledger was not empty at the end")
    newest: dict[tuple[str, str], str] = {}
    for name in facts.stored[COLLECTION_CHAINS]:
        product, expiry, seq = name.split("|")
        last = newest.get((product, expiry))
        if last is None or int(seq) > int(last.rpartition("|")[2]):
            newest[product, expiry] = name
    for (product, expiry), name in newest.items():
        channel, document = chain_channel(product, expiry), facts.stored[COLLECTION_CHAINS][name]
        live = facts.live.get(channel)
        if live is None or snapshot_id(product, expiry, live["source_seq"]) != name:
            shown = live["source_seq"] if live else "nothing"
            yield Violation("diverged", document["at"], (name, channel), f"{channel}: MongoDB {name}, Redis {shown}")
        elif live["exact"] != document["exact"]:
            text = f"{channel}: Redis and MongoDB hold different bytes of {name}"
            yield Violation("diverged", document["at"], (name, channel), text)


def _healing(fault: Event, facts: Facts) -> Healing:
    number, began = fault["number"], fault["at"]
    healed = facts.healed.get(number)
    if healed is None:
        return Healing(number, fault["name"], fault["target"], began, 0.0, None)
    first = [_first_fresh(events, healed) for events in facts.clients.values()]
    worst = max((arrival - healed for arrival in first if arrival is not None), default=None)
    fresh = None if None in first else worst
    return Healing(number, fault["name"], fault["target"], began, healed - began, fresh)


def _first_fresh(events: list[Event], since: float) -> float | None:
    """When a client first had what the source made after `since`."""
    for event in events[bisect_right(events, since, key=lambda event: event["at"]) :]:
        if event["event"] in STATES and (event.get("source_ts") or 0) > since:
            return float(event["at"])
    return None


def _heals(healings: list[Healing], facts: Facts, heal_ms: float) -> Iterator[Violation]:
    for healing in healings:
        about = (f"fault {healing.number}",)
        recovered = facts.recovered.get(healing.number)
        where = f"{healing.name} of {healing.target}" if healing.target else healing.name
        at = healing.began + healing.lasted_ms
        if healing.fresh_ms is None or healing.fresh_ms > heal_ms:
            took = "for ever" if healing.fresh_ms is None else f"{healing.fresh_ms / 1000:.1f} s"
            yield Violation("not recovered", at, about, f"after {where} a client waited {took} for fresh news")
        if recovered is None or not recovered["ok"]:
            why = recovered["detail"] if recovered else "the campaign ended"
            yield Violation("not recovered", at, about, f"after {where}: {why}")


def window(history: Iterable[Event], violation: Violation, *, most: int = 16) -> list[Event]:
    """The least of the history that shows `violation`: what concerns it, and the faults before and after it."""
    around = [event for event in history if _concerns(event, violation)]
    last = max(
        (event["number"] for event in around if event["kind"] == "fault" and event["at"] <= violation.at), default=0
    )
    around = [event for event in around if event.get("number", last) in (last, last + 1)]
    before = [event for event in around if event["at"] <= violation.at][-most * 3 // 4 :]
    after = [event for event in around if event["at"] > violation.at][: most // 4]
    return before + after


def _concerns(event: Event, violation: Violation) -> bool:
    if event["kind"] in ("fault", "healed", "recovered"):
        return True
    if event["kind"] == "client":
        return str(event["client"]) in violation.about and event.get("channel") in (None, *violation.about)
    if "ids" in event:
        return not set(event["ids"]).isdisjoint(violation.about)
    return any(event.get(name) in violation.about for name in ("id", "channel", "entry"))
