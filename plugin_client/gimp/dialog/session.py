"""One job at a time for a dialog: it runs while the dialog, and GIMP, go on working."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from gi.repository import GLib

from plugin_client.client import BlendResult, Client, Job
from plugin_client.gimp.claims import Held, keep
from plugin_client.gimp.insert import Place
from plugin_client.gimp.lost import claim_of
from plugin_client.wire.errors import KandinskyError, TransportError
from plugin_client.wire.messages import Blend, Progress

PERIOD = 20  # ms between looks for news


class Session:
    """Keeps its connection to the daemon from one job to the next.

    `show` is called with each step forward. The end is told to what `start` was given.
    """

    def __init__(self, connect: Callable[[], Client], show: Callable[[Progress], None]) -> None:
        self._connect = connect
        self._show = show
        self._client: Client | None = None
        self._job: Job | None = None
        self._held: Held | None = None  # the claim of the job

    def _connected(self) -> Client:
        """The connection, made now where there is none."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def start(self, blend: Blend, place: Place | None, ended: Callable[[BlendResult | KandinskyError], None]) -> None:
        """Have a blend made; `ended` is called later with the result, which belongs to `place`, or why there is none.

        Raises:
            KandinskyError: the daemon cannot be reached, or refuses.
        """
        self._held = keep(claim_of(blend, place))
        try:
            self._job = self._connected().submit_blend(blend, self._held.claim.job)
        except KandinskyError as exc:
            self._settle(exc)
            self.close()
            raise
        GLib.timeout_add(PERIOD, self._look, ended)

    def stop(self) -> None:
        """Ask for the job's end; acknowledged when this returns."""
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Leave; a job that runs is stopped."""
        with contextlib.suppress(KandinskyError):  # a daemon that is gone has stopped it already
            self.stop()
        self._job = None
        self._settle(None)
        if self._client is not None:
            self._client.close()
            self._client = None

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
        except KandinskyError as exc:
            end = exc
        job, held, self._job, self._held = self._job, self._held, None, None
        if isinstance(end, TransportError):
            self.close()  # the next job looks for a daemon anew
        ended(end)
        if held is not None:
            held.settle(end)
        if not isinstance(end, TransportError):
            job.discard()  # not before its picture is in its place
        return False

    def _settle(self, end: object) -> None:
        if self._held is not None:
            self._held.settle(end)
            self._held = None
