"""What may wait for clients: one large message each, few small ones, and so much of all."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from daemon.outbox import LARGE, MAX_SMALL_BYTES, STALLED_SECONDS, Outbox

A, B, C = b"a", b"b", b"c"


@dataclass
class Delivery:
    done: bool = False


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(max_large_bytes=4 * LARGE)


def test_one_large_message_waits_for_a_client_at_a_time(outbox: Outbox) -> None:
    first = Delivery()
    outbox.add(A, LARGE, first)
    assert not outbox.takes_large(A)
    assert not outbox.has_room(A, LARGE)
    assert outbox.has_room(A, 100)  # a small answer goes out behind it
    assert outbox.takes_large(B)
    first.done = True
    assert outbox.takes_large(A)


def test_small_messages_wait_until_they_are_too_many(outbox: Outbox) -> None:
    waiting = []
    while outbox.has_room(A, 1000):
        waiting.append(Delivery())
        outbox.add(A, 1000, waiting[-1])
    assert len(waiting) == MAX_SMALL_BYTES // 1000
    assert outbox.has_room(B, 1000)
    waiting[0].done = True
    assert outbox.has_room(A, 1000)


def test_all_large_messages_together_are_bounded_but_one_always_goes(outbox: Outbox) -> None:
    outbox.add(A, 3 * LARGE, delivery := Delivery())
    assert outbox.has_room(B, LARGE)
    assert not outbox.has_room(B, 2 * LARGE)
    delivery.done = True
    assert outbox.has_room(B, 5 * LARGE)
    assert outbox.total() == 0


def test_who_keeps_others_waiting_is_stalled(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("daemon.outbox.time.monotonic", lambda: now[0])
    outbox.add(A, LARGE, Delivery())
    now[0] = STALLED_SECONDS + 1
    assert outbox.stalled() == ()  # there is room for others
    outbox.add(B, 2 * LARGE, Delivery())
    assert outbox.stalled() == (A,)
