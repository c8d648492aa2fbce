"""One job at a time for a dialog: it runs while the dialog, and GIMP, go on working."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import GLib

from plugin_client.client import BlendResult, Client, Work
from plugin_client.wire.errors import KandinskyError, TransportError
from plugin_client.wire.messages import Progress

PERIOD = 50  # ms between looks for news


class Session:
    """Keeps its connection to the daemon from one job to the next.

    `show` is called with each step forward. The end is told to what `start` was given.
    """

    def __init__(self, connect: Callable[[], Client], show: Callable[[Progress], None]) -> None:
        self._connect = connect
        self._show = show
        self._client: Client | None = None
        self._job: Work | None = None

    def _connected(self) -> Client:
        """The connection, made now where there is none."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def start(self, submit: Callable[[Client], Work], ended: Callable[[BlendResult | KandinskyError], None]) -> None:
        """Have made what `submit` asks for; `ended` is called later with the result, or why there is none.

        Raises:
            KandinskyError: the daemon cannot be reached, or refuses.
        """
        try:
            self._job = submit(self._connected())
        except KandinskyError:
            self.close()
            raise
        GLib.timeout_add(PERIOD, self._look, ended)

    def stop(self) -> None:
        """Ask for the job's end; acknowledged when this returns."""
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Leave; a job that runs is stopped."""
        self._discard()
        if self._client is not None:
            self._client.close()
            self._client = None

    def _discard(self) -> None:
        if self._job is not None:
            self._job.discard()
            self._job = None

    def _look(self, ended: Callable[[BlendResult | KandinskyError], None]) -> bool:
        """Called by the main loop until it returns False."""
        if self._job is None:
            return False
        try:
            while progress := self._job.poll(0):
                self._show(progress)
            if not self._job.is_over:
                return True
            end: BlendResult | KandinskyError = self._job.result()
            self._job.release()
            self._job = None
        except TransportError as exc:
            end = exc
            self.close()  # the next job looks for a daemon anew
        except KandinskyError as exc:
            end = exc
            self._discard()  # of a sweep the frames that were made
        ended(end)
        return False
