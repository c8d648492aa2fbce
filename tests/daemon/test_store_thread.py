"""The thread in which the store works."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing

import pytest

from daemon.errors import StoreError
from daemon.store_thread import Rank, StoreThread
from tests.daemon.conftest import PATIENCE, wait_until


@pytest.fixture
def thread() -> Iterator[StoreThread]:
    with closing(StoreThread()) as thread:
        yield thread


def hold(thread: StoreThread) -> threading.Event:
    """Keep the thread at work until the event is set."""
    held, begun = threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return held.wait(PATIENCE)

    thread.do(wait, Future.result)
    begun.wait(PATIENCE)
    return held


def test_work_is_done_elsewhere_and_its_end_told_here(thread: StoreThread) -> None:
    told: list[tuple[int, int]] = []
    thread.do(threading.get_ident, lambda done: told.append((done.result(), threading.get_ident())))
    wait_until(lambda: thread.poll() or told, "it is told")
    ((there, here),) = told
    assert (there == here, here) == (False, threading.get_ident())


def test_what_clients_heap_up_comes_last_and_else_the_order_is_kept(thread: StoreThread) -> None:
    held = hold(thread)
    done: list[str] = []
    for name, rank in (("a", Rank.WHEN_FREE), ("b", Rank.WHEN_FREE), ("c", Rank.SOON), ("d", Rank.SOON)):
        thread.do(lambda name=name: done.append(name), Future.result, rank)
    held.set()
    thread.settle()
    assert done == ["c", "d", "a", "b"]


def test_an_error_is_told_to_who_asks_for_the_result(thread: StoreThread) -> None:
    def fail() -> None:
        raise StoreError("the disk is full")

    ends: list[Future[None]] = []
    thread.do(fail, ends.append)
    thread.settle()
    with pytest.raises(StoreError, match="the disk is full"):
        ends[0].result()


def test_what_follows_from_an_end_is_waited_for_too(thread: StoreThread) -> None:
    done: list[str] = []
    thread.do(lambda: done.append("first"), lambda _: thread.do(lambda: done.append("second"), Future.result))
    thread.settle()
    assert done == ["first", "second"]


def test_all_is_done_before_it_ends() -> None:
    thread = StoreThread()
    held, done = hold(thread), []
    for rank in (Rank.WHEN_FREE, Rank.SOON):
        thread.do(lambda rank=rank: done.append(rank), Future.result, rank)
    threading.Timer(0.05, held.set).start()
    thread.close()
    assert done == [Rank.SOON, Rank.WHEN_FREE]
