"""The daemon asked in a thread of its own, so that no window waits for an answer, or for a daemon to start."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from gi.repository import GLib

from plugin_client.client import Client
from plugin_client.wire.errors import KandinskyError, TransportError

END_SECONDS = 1.0  # for the thread to leave the daemon

A = TypeVar("A")


class Background:
    """Keeps its connection from one question to the next; `connect` makes it, and makes it anew after it broke.

    Nothing of GIMP or Gtk may be done in what is given to `ask` and `do`. What they are to tell their answers to is
    called by the main loop, unless the background was closed meanwhile.
    """

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None  # of the thread
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._is_open = True
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def ask(self, question: Callable[[Client], A], told: Callable[[A | KandinskyError], None]) -> None:
        """Have `told` called with the answer, or with why there is none."""
        self.do(lambda: self._answer(question), told)

    def do(self, action: Callable[[], A], told: Callable[[A | KandinskyError], None]) -> None:
        """The same for what needs no connection."""

        def task() -> None:
            end: A | KandinskyError
            try:
                end = action()
            except KandinskyError as exc:
                end = exc
            GLib.idle_add(self._tell, told, end)

        self._tasks.put(task)

    def leave(self) -> None:
        """Have a new connection made for the next question: the old one does not notice at once that a daemon ends."""
        self._tasks.put(self._leave)

    def close(self) -> None:
        """Tell nothing more."""
        self._is_open = False
        self._tasks.put(None)
        self._thread.join(END_SECONDS)

    def _answer(self, question: Callable[[Client], A]) -> A:
        if self._client is None:
            self._client = self._connect()
        try:
            return question(self._client)
        except TransportError:
            self._leave()
            raise

    def _tell(self, told: Callable[[Any], None], end: object) -> bool:
        if self._is_open:
            told(end)
        return False  # to the main loop: not again

    def _work(self) -> None:
        while task := self._tasks.get():
            task()
        self._leave()

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
