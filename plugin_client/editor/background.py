"""The thread that holds the connection to the daemon, so that an editor's main loop never waits for an answer."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from plugin_client.client import Client
from plugin_client.editor.connection import connect_to_running, running_daemon
from plugin_client.editor.scheduler import Scheduler
from plugin_client.wire.connection_file import Endpoint
from plugin_client.wire.errors import KandinskyError, TransportError

POLL_SECONDS = 0.02  # between looks for news of what is watched
END_SECONDS = 3.0  # for the thread to finish what it was given before it is closed

A = TypeVar("A")


class Watched(Protocol):
    """A job, or anything else, that is polled for news. The thread of Background calls both methods."""

    def poll(self) -> bool:
        """Take in what has arrived, without waiting for more; False when no more will come.

        Raises:
            TransportError: the connection is of no use any more.
        """

    def lose(self, error: TransportError) -> None:
        """Learn that the connection has gone, and with it all further news."""


class Background:
    """A thread with the one connection of this process to the daemon, which all of its windows share.

    The connection is kept from one question to the next, and made anew after it broke or its daemon was replaced.
    `ask`, `do` and `close` are for the main thread, `watch` and `unwatch` for what runs in this thread. No function of
    the editor may be called by what is given to `ask`, `do` and `watch`; answers are handed to the main loop by
    `scheduler`, unless this was closed meanwhile.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_open = True
        self._client: Client | None = None  # this and what follows belongs to the thread
        self._daemon: Endpoint | None = None  # that the client is connected to
        self._watched: list[Watched] = []
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def ask(
        self,
        question: Callable[[Client], A],
        on_answer: Callable[[A | KandinskyError], None],
        connect: Callable[[], Client] = connect_to_running,
    ) -> None:
        """Have `on_answer` called with the answer, or with the reason why there is none.

        Args:
            question: asks the daemon.
            on_answer: called by the main loop.
            connect: makes the connection where there is none yet; it may start a daemon.
        """
        self.do(lambda: self._answer(question, connect), on_answer)

    def do(self, action: Callable[[], A], on_end: Callable[[A | KandinskyError], None]) -> None:
        """Do something that needs no connection, such as starting a daemon, and hand what it returns to `on_end`."""

        def task() -> None:
            end: A | KandinskyError
            try:
                end = action()
            except KandinskyError as exc:
                end = exc
            self.tell(lambda: on_end(end))

        self._tasks.put(task)

    def tell(self, call: Callable[[], None]) -> None:
        """Have `call` called by the main loop, unless this was closed before."""
        self._scheduler.on_main_thread(lambda: call() if self._is_open else None)

    def watch(self, watched: Watched) -> None:
        """Poll `watched` many times a second until nothing more will come."""
        self._watched.append(watched)

    def unwatch(self, watched: Watched) -> None:
        """Poll it no more, if it was watched."""
        if watched in self._watched:
            self._watched.remove(watched)

    def close(self) -> None:
        """Finish what was asked, as far as END_SECONDS reach, and hand no more answers to the main loop."""
        self._is_open = False
        self._tasks.put(None)
        self._thread.join(END_SECONDS)

    # --- in the thread ---------------------------------------------------------------------------------------

    def _work(self) -> None:
        while task := self._next_task():
            task()
        self._disconnect()

    def _next_task(self) -> Callable[[], None] | None:
        try:
            return self._tasks.get(timeout=POLL_SECONDS if self._watched else None)
        except queue.Empty:
            return self._poll

    def _poll(self) -> None:
        for watched in list(self._watched):
            try:
                goes_on = watched.poll()
            except TransportError as exc:
                self._lose(exc)
                return
            if not goes_on:
                self.unwatch(watched)

    def _answer(self, question: Callable[[Client], A], connect: Callable[[], Client]) -> A:
        client = self._connected(connect)
        try:
            return question(client)
        except TransportError as exc:
            self._lose(exc)
            raise

    def _connected(self, connect: Callable[[], Client]) -> Client:
        """The connection, made now where there is none, or where its daemon has ended.

        While something is watched, its own silence tells that the daemon has ended.
        """
        if not self._watched and running_daemon() != self._daemon:
            self._disconnect()
        if self._client is None:
            self._client = connect()
            self._daemon = running_daemon()
        return self._client

    def _lose(self, error: TransportError) -> None:
        lost, self._watched = self._watched, []
        for watched in lost:
            watched.lose(error)
        self._disconnect()

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
