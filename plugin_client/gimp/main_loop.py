"""The main loop of a plug-in's windows, as plugin_client.editor uses it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from gi.repository import GLib


class MainLoop:
    """GLib's default main loop as an editor.scheduler.Scheduler."""

    def on_main_thread(self, call: Callable[[], None]) -> None:
        """Have `call` called once, as of Scheduler."""
        GLib.idle_add(_once, call, priority=GLib.PRIORITY_DEFAULT)

    def repeat(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Have `call` called every so many seconds, as of Scheduler."""
        source = GLib.timeout_add(round(1000 * seconds), _again, call)

        def end() -> None:
            GLib.source_remove(source)

        return end


BREATH = 5  # ms before each step of Chores, in which the window is drawn and answers

Chore = Iterator[None]  # does its work in steps, and yields between them


class Chores:
    """Works off chores one after the other, each step in a turn of the main loop of its own, which goes on between."""

    def __init__(self, priority: int = GLib.PRIORITY_DEFAULT_IDLE) -> None:
        self._priority = priority
        self._chores: deque[Chore] = deque()

    def add(self, chore: Chore) -> None:
        """Have a chore done after all that were added before."""
        if not self._chores:
            GLib.timeout_add(BREATH, self._step, priority=self._priority)
        self._chores.append(chore)

    def clear(self) -> None:
        """Do nothing more of what was added."""
        self._chores.clear()

    def _step(self) -> bool:
        if self._chores and _is_over(self._chores[0]) and self._chores:
            self._chores.popleft()
        return bool(GLib.SOURCE_CONTINUE if self._chores else GLib.SOURCE_REMOVE)


def _is_over(chore: Chore) -> bool:
    """Do a step of a chore; True where there is none left."""
    try:
        next(chore)
    except StopIteration:
        return True
    return False


def _once(call: Callable[[], None]) -> bool:
    call()
    return bool(GLib.SOURCE_REMOVE)


def _again(call: Callable[[], None]) -> bool:
    call()
    return bool(GLib.SOURCE_CONTINUE)
