"""The thread in which the store works, so that the loop waits for no disk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import count
from queue import Empty, PriorityQueue, SimpleQueue
from typing import Any, TypeVar

from daemon.executors.base import Wakeup

T = TypeVar("T")
Then = Callable[["Future[T]"], None]


class Rank(IntEnum):
    """Which call comes first; of one rank, the one that was made first."""

    SOON = 0
    WHEN_FREE = 1  # what clients can heap up: nothing else waits for it
    LAST = 2


@dataclass(order=True)
class _Call:
    rank: Rank
    number: int
    work: Callable[[], Any] = field(compare=False)
    then: Then[Any] = field(compare=False)


class StoreThread:
    """Runs calls one after another in a thread of its own, and tells the end of each in the thread that polls."""

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._numbers = count()
        self._calls: PriorityQueue[_Call] = PriorityQueue()
        self._done: SimpleQueue[tuple[Then[Any], Future[Any]]] = SimpleQueue()
        self._open = 0  # calls whose end was not told
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """File descriptor that is readable while poll() may have something to tell."""
        return self._wakeup.fileno()

    def do(self, work: Callable[[], T], then: Then[T], rank: Rank = Rank.SOON) -> None:
        """Have `work` done; poll() or settle() calls `then` with what became of it."""
        self._open += 1
        self._calls.put(_Call(rank, next(self._numbers), work, then))

    def poll(self) -> None:
        """Tell of the calls that have ended."""
        self._wakeup.clear()
        try:
            while True:
                self._tell(*self._done.get_nowait())
        except Empty:
            return

    def settle(self) -> None:
        """Wait until all calls have ended, those too that follow from them, and tell of each."""
        while self._open:
            self._tell(*self._done.get())

    def close(self) -> None:
        """End the thread once all calls have ended, of which nothing more is told."""
        self._calls.put(_Call(Rank.LAST, next(self._numbers), lambda: None, lambda _: None))
        self._thread.join()
        self._wakeup.close()

    def _tell(self, then: Then[Any], future: Future[Any]) -> None:
        self._open -= 1
        then(future)

    def _run(self) -> None:
        while self._run_next():
            self._wakeup.set()

    def _run_next(self) -> bool:
        """Run a call, of which nothing is held afterwards; whether there are more to come."""
        call = self._calls.get()
        future: Future[Any] = Future()
        try:
            future.set_result(call.work())
        except BaseException as exc:  # noqa: BLE001 - `then` asks for the result, which raises it
            future.set_exception(exc)
        self._done.put((call.then, future))
        return call.rank != Rank.LAST
