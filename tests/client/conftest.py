from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from plugin_client.wire import paths
from tests.client.scripted_daemon import Script, ScriptedDaemon


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private data folder of this test."""
    folder = tmp_path_factory.mktemp("h")  # a short name: a socket's path has little room
    monkeypatch.setenv(paths.HOME_VARIABLE, str(folder))
    return folder


@pytest.fixture
def script() -> Iterator[Script]:
    """What the running daemon answers."""
    script = Script()
    with ScriptedDaemon(script):
        yield script


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cat(here: Path) -> Path:
    path = here / "cat.png"
    Image.new("RGB", (8, 8), (9, 9, 9)).save(path)
    return path
