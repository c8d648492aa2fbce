"""A sheet of drafts that is drawn while a dialog, and the editor, go on working."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from plugin_client.editor.background import Background
from plugin_client.editor.drafts import Draft, DraftEnd, DraftRun
from plugin_client.editor.requests import GenerateRequest
from plugin_client.wire.messages import Picture


class Exploration:
    """The drafts of several requests, one after the other, which are begun at once.

    Args:
        background: stays open; its owner closes it after this.
        requests: the cells of the sheet.
        on_picture: called with each draft, in the order of the requests.
        on_failure: called with the end of a draft without a picture, after which no more will come.
    """

    def __init__(
        self,
        background: Background,
        requests: Iterable[GenerateRequest],
        on_picture: Callable[[Picture], None],
        on_failure: Callable[[DraftEnd], None],
    ) -> None:
        self._background = background
        self._waiting = deque(requests)
        self._on_picture = on_picture
        self._on_failure = on_failure
        self._run: DraftRun | None = None
        self._next()

    def end(self) -> None:
        """Draw no more of them, and have the daemon end the one that runs before anything else that it is asked for."""
        self._waiting.clear()
        if self._run is not None:
            self._run.give_up()
            self._run = None

    def _next(self) -> None:
        if self._waiting:
            self._run = DraftRun(self._background, self._waiting.popleft(), False, self._drawn)

    def _drawn(self, end: DraftEnd) -> None:
        self._run = None
        if isinstance(end, Draft):
            self._on_picture(end.picture)
            self._next()
        else:
            self._waiting.clear()
            self._on_failure(end)
