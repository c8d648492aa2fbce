"""The one thing that the code of this package needs of an editor's main loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Scheduler(Protocol):
    """Calls functions from an editor's main loop. Both methods return at once."""

    def on_main_thread(self, call: Callable[[], None]) -> None:
        """Have `call` called once by the main loop, soon and in the order of these requests. Any thread may ask."""

    def repeat(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Have `call` called by the main loop every so many seconds, until the returned function is called.

        Only the main thread may ask.
        """
