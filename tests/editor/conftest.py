"""A main loop that a test runs by hand, a private data folder, and a daemon that answers what a test tells it to."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plugin_client.editor.background import Background
from plugin_client.wire.paths import HOME_VARIABLE
from tests.client.scripted_daemon import Script, ScriptedDaemon

PATIENCE = 20.0  # s


class HandLoop:
    """A Scheduler whose main loop runs while a test waits. What repeats does so only when `tick` is called."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._repeated: list[Callable[[], None]] = []

    def on_main_thread(self, call: Callable[[], None]) -> None:
        self._calls.put(call)

    def repeat(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        self._repeated.append(call)
        return lambda: self._repeated.remove(call)

    @property
    def repeats(self) -> int:
        return len(self._repeated)

    def tick(self) -> None:
        """Let the time between two repetitions pass."""
        for call in list(self._repeated):
            call()

    def run_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            try:
                call = self._calls.get(timeout=0.01)
            except queue.Empty:
                continue
            call()


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private data folder of this test."""
    folder = tmp_path_factory.mktemp("h")  # a short name: a socket's path has little room
    monkeypatch.setenv(HOME_VARIABLE, str(folder))
    return folder


@pytest.fixture
def loop() -> HandLoop:
    return HandLoop()


@pytest.fixture
def background(home: Path, loop: HandLoop) -> Iterator[Background]:
    background = Background(loop)
    yield background
    background.close()


@pytest.fixture
def script(home: Path) -> Iterator[Script]:
    """What the running daemon answers."""
    script = Script()
    with ScriptedDaemon(script):
        yield script
