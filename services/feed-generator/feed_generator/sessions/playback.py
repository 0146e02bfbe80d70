"""One session: what is due of its source goes to the workers, and where it is goes to its owner."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Protocol

from aro.adapters.clock import Clock, iso
from aro.contracts.replays import Replayed, ReplayOrder, ReplayProgress, ReplayState, ReplayStatus
from aro.runtime.logs import get_logger
from feed_generator import metrics
from feed_generator.numbering import SourceSequences
from feed_generator.provider import FeedError
from feed_generator.sessions.sources import Played, Source
from feed_generator.sessions.timeline import Timeline

log = get_logger(__name__)

MOST_PER_TURN: Final = 64
NOTE_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 2.0
"""After its source failed, a session tries again from where it was."""

Open = Callable[[ReplayOrder], Source]
"""Raises `FeedError`."""


class Outlet(Protocol):
    """Where a session's messages and its progress go. Raises what Redis raises; then the same comes again."""

    def room(self) -> int:
        """How many messages may be sent now."""

    def send(self, messages: list[Replayed]) -> None: ...

    def note(self, progress: ReplayProgress, status: ReplayStatus) -> None: ...


class Playback:
    """Not for use by several threads. `order` may be replaced at any time; the next turn follows it."""

    def __init__(
        self, order: ReplayOrder, progress: ReplayProgress, open_source: Open, outlet: Outlet, clock: Clock
    ) -> None:
        self.order = order
        self._followed: ReplayOrder | None = None
        self._progress = progress
        self._open = open_source
        self._outlet = outlet
        self._clock = clock
        self._source: Source | None = None
        self._timeline = Timeline(0.0, 0.0, order.speed)
        self._entries: Iterator[Played] = iter(())
        self._next: Played | None = None
        self._due: deque[Played] = deque()
        """The state at the instant that was sought, which goes out whatever the time is."""
        self._unsent: list[Replayed] = []
        self._numbers = SourceSequences({})
        self._sent = progress.messages
        self._detail: str | None = None
        self._retry_at: float | None = None
        self._wanted: int | None = None
        self._is_seeking = False
        self._noted_at = 0.0
        self._noted: tuple[ReplayState, int, float] | None = None

    def turn(self) -> bool:
        """Send what is due, as far as there is room; whether more may be due at once. Raises what Redis raises."""
        now = self._clock.monotonic()
        try:
            self._follow(now)
            sent = self._play(now)
        except FeedError as error:
            sent = 0
            self.fail(str(error))
        self._note(now)
        return sent == MOST_PER_TURN

    def fail(self, detail: str) -> None:
        """It cannot be played now; after a while it is tried again from where it was."""
        if self._detail is None:
            log.warning("a replay session cannot be played", session=self.order.id, cause=detail)
        now = self._clock.monotonic()
        if not self._is_seeking:
            self._wanted = round(self._timeline.position(now))
        self._timeline.change(now, speed=self.order.speed, is_running=False)
        self._next, self._due = None, deque()
        self._detail, self._retry_at = detail, now + RETRY_SECONDS

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    # --- orders ----------------------------------------------------------------------------

    def _follow(self, now: float) -> None:
        order, followed = self.order, self._followed
        has_failed = self._retry_at is not None
        if order is followed and (self._retry_at is None or now < self._retry_at):
            return
        self._followed, self._retry_at = order, None
        # What another process followed before it ended is not sought again.
        before = self._progress.revision if followed is None else followed.sought
        if order.sought > before:
            self._seek(order.position_ts, now)
        elif followed is None:
            self._seek(self._progress.position_ts, now)
        elif has_failed:
            self._seek(self._wanted, now)
        self._timeline.change(self._clock.monotonic(), speed=order.speed, is_running=not order.paused)

    def _seek(self, position_ts: int | None, now: float) -> None:
        """Be at `position_ts`, or where the session begins. Raises `FeedError`."""
        self._wanted, self._is_seeking = position_ts, True
        source = self._source = self._source or self._open(self.order)
        position_ts = max((self.order.from_ts or 0) if position_ts is None else position_ts, source.first_ts or 0)
        end = self._end()
        if end is not None and position_ts > end:
            raise FeedError(f"there is nothing to play after {iso(end)}")
        self._entries = source.entries(position_ts)
        state: dict[tuple[str, str | None], Played] = {}
        self._next = next(self._entries, None)
        while self._next is not None and self._next.message and self._next.ts <= position_ts:
            state[self._next.product, self._next.expiry] = self._next
            self._next = next(self._entries, None)
        self._due = deque(sorted(state.values(), key=lambda entry: entry.ts))
        # Reading took its time, which is not the session's.
        self._timeline.move(position_ts, self._clock.monotonic())
        self._detail, self._is_seeking = None, False
        metrics.replay_seeks.observe(self._clock.monotonic() - now)

    # --- playing ---------------------------------------------------------------------------

    def _play(self, now: float) -> int:
        """How many messages were sent."""
        if self._retry_at is not None:
            return 0
        now = max(now, self._timeline.at)
        position, end = self._timeline.position(now), self._end()
        if not (self._unsent or self._due or self._is_due(position, end)):
            return 0
        room = min(self._outlet.room(), MOST_PER_TURN)
        while len(self._unsent) < room and (self._due or self._is_due(position, end)):
            entry = self._due.popleft() if self._due else self._take()
            if not entry.message:
                # Nothing up to there, and what comes then may not be known yet.
                self._timeline.move(min(position, entry.ts), now)
                break
            self._unsent.append(self._numbered(entry))
        else:
            if self._next is not None and self._is_due(position, end):
                # Held: the session's own time waits until there is room.
                self._timeline.move(min(position, self._next.ts), now)
        sent, self._unsent = self._unsent, []
        try:
            self._outlet.send(sent)
        except Exception:
            self._unsent = sent
            raise
        self._sent += len(sent)
        metrics.replay_messages.inc(len(sent))
        return len(sent)

    def _is_due(self, position: float, end: int | None) -> bool:
        return self._next is not None and self._next.ts <= (position if end is None else min(position, end))

    def _take(self) -> Played:
        entry = self._next
        if entry is None:
            raise ValueError("nothing is due")
        self._next = next(self._entries, None)
        return entry

    def _numbered(self, entry: Played) -> Replayed:
        # Microseconds: a session may play more than one message of a series per millisecond for long.
        number = self._numbers.next(f"{entry.product}|{entry.expiry}", self._clock.now_ms() * 1000)
        return Replayed(
            session=self.order.id,
            product=entry.product,
            expiry=entry.expiry,
            source_seq=number,
            message=entry.message,
        )

    def _end(self) -> int | None:
        """Where the session ends; None if it goes on as time does."""
        last = None if self._source is None else self._source.last_ts
        ends = [end for end in (last, self.order.to_ts) if end is not None]
        return min(ends) if ends else None

    # --- what its owner sees ---------------------------------------------------------------

    def _state(self, position: float) -> ReplayState:
        if self._detail is not None:
            return "failed"
        end = self._end()
        if end is not None and position >= end and not self._due and not self._is_due(position, end):
            return "ended"
        return "paused" if self.order.paused else "playing"

    def _note(self, now: float) -> None:
        """Once a second, and whenever it is something else."""
        # Seeking takes time, and the turn began before it.
        now = max(now, self._timeline.at)
        position, end = self._timeline.position(now), self._end()
        reached = round(position if end is None else min(position, end))
        state = self._state(position)
        said = (state, self.order.revision, self.order.speed)
        if said == self._noted and now - self._noted_at < NOTE_SECONDS:
            return
        progress = ReplayProgress(
            state=state,
            revision=self.order.revision,
            position_ts=self._wanted if self._is_seeking else reached,
            first_ts=None if self._source is None else self._source.first_ts,
            last_ts=end,
            messages=self._sent,
            detail=self._detail,
        )
        self._outlet.note(progress, status_of(self.order, progress, self._clock.now_ms()))
        self._noted, self._noted_at = said, now


def status_of(order: ReplayOrder, progress: ReplayProgress, now_ms: int) -> ReplayStatus:
    position_ts = progress.position_ts
    return ReplayStatus(
        session=order.id,
        state=progress.state,
        position_ts=position_ts,
        position_time=None if position_ts is None else iso(position_ts),
        first_ts=progress.first_ts,
        last_ts=progress.last_ts,
        speed=order.speed,
        messages=progress.messages,
        detail=progress.detail,
        server_ts=now_ms,
    )
