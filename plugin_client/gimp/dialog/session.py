"""One job at a time for a dialog: it runs while the dialog, and GIMP, go on working."""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import GLib

from plugin_client.client import BlendResult, Client, Work
from plugin_client.gimp.connection import running_daemon
from plugin_client.gimp.insert import Place
from plugin_client.gimp.running import Claimant
from plugin_client.wire.endpoint import Endpoint
from plugin_client.wire.errors import KandinskyError, TransportError
from plugin_client.wire.messages import Progress

PERIOD = 20  # ms between looks for news


class Session:
    """Keeps its connection to the daemon from one job to the next.

    `show` is called with each step forward. The end is told to what `start` was given.
    """

    def __init__(self, connect: Callable[[], Client], show: Callable[[Progress], None]) -> None:
        self._connect = connect
        self._show = show
        self._client: Client | None = None
        self._daemon: Endpoint | None = None  # that the client is connected to
        self._work: Work | None = None
        self._claimant: Claimant | None = None  # of the work

    def _connected(self) -> Client:
        """The connection, made now where there is none, or where its daemon has ended."""
        if running_daemon() != self._daemon:
            self._disconnect()
        if self._client is None:
            self._client = self._connect()
            self._daemon = running_daemon()
        return self._client

    def start(
        self,
        submit: Callable[[Claimant], Work],
        place: Place | None,
        ended: Callable[[BlendResult | KandinskyError], None],
    ) -> None:
        """Have made what `submit` asks for, which belongs to `place`; `ended` is called later with it, or why not.

        Raises:
            KandinskyError: the daemon cannot be reached, or refuses.
        """
        try:
            self._claimant = Claimant(self._connected(), place)
            self._work = submit(self._claimant)
        except KandinskyError as exc:
            self._settle(exc)
            self.close()
            raise
        GLib.timeout_add(PERIOD, self._look, ended)

    def stop(self) -> None:
        """Ask for the job's end; acknowledged when this returns."""
        if self._work is not None:
            self._work.cancel()

    def close(self) -> None:
        """Leave; a job that runs is stopped."""
        if self._work is not None:
            self._work.discard()
        self._work = None
        self._settle(None)
        self._disconnect()

    def _disconnect(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _look(self, ended: Callable[[BlendResult | KandinskyError], None]) -> bool:
        """Called by the main loop until it returns False."""
        if self._work is None:
            return False
        try:
            while progress := self._work.poll(0):
                self._show(progress)
            if not self._work.is_over:
                return True
            end: BlendResult | KandinskyError = self._work.result()
        except KandinskyError as exc:
            end = exc
        work, claimant, self._work, self._claimant = self._work, self._claimant, None, None
        if isinstance(end, TransportError):
            self.close()  # the next job looks for a daemon anew
        ended(end)
        if claimant is not None:
            claimant.settle(end)
        if not isinstance(end, TransportError) and running_daemon() == self._daemon:  # else nobody would answer
            work.discard()  # not before its picture is in its place
        return False

    def _settle(self, end: object) -> None:
        if self._claimant is not None:
            self._claimant.settle(end)
            self._claimant = None
