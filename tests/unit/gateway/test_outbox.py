"""What a slow client is sent: what goes in order whole and in order, of states the newest only, nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from socket_gateway.outbox import BATCH_BYTES, Outbox


def emptied(outbox: Outbox) -> list[bytes]:
    batches = []
    while outbox:
        batches.append(outbox.take())
    return batches


def test_what_goes_in_order_leaves_before_states() -> None:
    outbox = Outbox()
    outbox.keep("a", b"[a1]")
    outbox.put(b"[ack1]")
    outbox.keep("b", b"[b1]")
    outbox.put(b"[ack2]")
    assert (len(outbox), outbox.size) == (4, 20)
    assert outbox.take() == b"[ack1][ack2][a1][b1]"
    assert (len(outbox), outbox.size, outbox.take()) == (0, 0, b"")


def test_a_replaced_state_keeps_its_place() -> None:
    outbox = Outbox()
    for channel, frame in (("a", b"a1"), ("b", b"b1"), ("a", b"a2"), ("c", b"c1"), ("a", b"a3")):
        outbox.keep(channel, frame)
    assert outbox.take() == b"a3b1c1"


def test_busy_channels_do_not_starve_quiet_ones() -> None:
    """`busy` changes between any two batches, and each batch has room for one state only."""
    outbox = Outbox()
    big = b"x" * BATCH_BYTES
    outbox.keep("busy", big)
    outbox.keep("quiet", b"q")
    outbox.take()
    outbox.keep("busy", big)
    assert outbox.take() == b"q"


def test_batches_are_bounded_but_frames_are_whole() -> None:
    outbox = Outbox()
    sizes = (BATCH_BYTES // 2, BATCH_BYTES // 2, 1, 3 * BATCH_BYTES, 7)
    for number, size in enumerate(sizes):
        outbox.put(bytes([number]) * size)
    assert [len(batch) for batch in emptied(outbox)] == [BATCH_BYTES, 1, 3 * BATCH_BYTES, 7]


def test_what_is_forgotten_does_not_count() -> None:
    outbox = Outbox()
    outbox.put(b"ack")
    outbox.keep("a", b"aa")
    outbox.keep("b", b"bb")
    outbox.forget("a")
    outbox.forget("never there")
    assert ("a" in outbox, "b" in outbox, outbox.size) == (False, True, 5)
    outbox.forget_states()
    assert (emptied(outbox), outbox.size) == ([b"ack"], 0)


Steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 60_000))
    | st.tuples(st.just(""), st.integers(0, 60_000))
    | st.sampled_from(["take", "forget"]),
    max_size=60,
)


@given(Steps)
def test_size_and_order_against_a_model(steps: list[tuple[str, int] | str]) -> None:
    outbox, control, states = Outbox(), list[bytes](), dict[str, bytes]()
    for number, step in enumerate(steps):
        match step:
            case "take":
                taken = outbox.take()
                at = 0
                for source in (control, states):
                    while at < len(taken) and source:
                        key = 0 if source is control else next(iter(states))
                        frame = source.pop(key)  # type: ignore[arg-type, call-overload]
                        assert taken[at : at + len(frame)] == frame
                        at += len(frame)
                assert at == len(taken)
            case "forget":
                outbox.forget("a")
                states.pop("a", None)
            case ("", size):
                control.append(bytes([number]) * (size + 1))
                outbox.put(control[-1])
            case (channel, size):
                states[str(channel)] = bytes([number]) * (int(size) + 1)
                outbox.keep(str(channel), states[str(channel)])
        assert len(outbox) == len(control) + len(states)
        assert outbox.size == sum(map(len, [*control, *states.values()]))
