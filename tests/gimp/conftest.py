"""A real GIMP, a real daemon with a small model, and tests that are skipped by name where no GIMP can be had."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plugin_client import launch
from plugin_client.wire import paths
from tests.gimp.editor import Editor
from tests.gimp.root import NoRoot, root

ZMQ_IN_ROOT = "/usr/lib/python3/dist-packages/zmq/__init__.py"
MSGPACK_IN_ROOT = "/usr/lib/python3/dist-packages/msgpack/__init__.py"
BROKEN = "raise ImportError('made for another Python')\n"


@pytest.fixture(scope="session")
def gimp_root() -> Path:
    try:
        return root()
    except NoRoot as exc:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a GIMP 3: {exc}")


@pytest.fixture(scope="session")
def daemon_home(gimp_root: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a real daemon with a small random model, in float32 whatever the processor has."""
    home = tmp_path_factory.mktemp("h")
    home.chmod(0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(paths.HOME_VARIABLE, str(home))
        launch.start(None, ["--model", str(tiny_checkpoint), "--precision", "float32"]).close()
        yield home
        launch.stop(None)


@pytest.fixture(scope="session", params=["direct", "bridge"])
def editor(
    request: pytest.FixtureRequest, gimp_root: Path, daemon_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Editor:
    """A GIMP whose Python has pyzmq, and one where that does not work."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "broken.py").write_text(BROKEN)
    replaced = {ZMQ_IN_ROOT: folder / "broken.py"} if request.param == "bridge" else {}
    editor = Editor(gimp_root, folder, daemon_home, replaced)
    editor.install()
    return editor


@pytest.fixture(scope="session")
def german_editor(gimp_root: Path, daemon_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Editor:
    """A GIMP whose preferences say German."""
    editor = Editor(gimp_root, tmp_path_factory.mktemp("german"), daemon_home, language="de")
    editor.install()
    return editor


@pytest.fixture(scope="session")
def reports(editor: Editor) -> Callable[[str], dict[str, str]]:
    """What all cases of a file reported; the file is run when it is first asked for."""
    known: dict[str, dict[str, str]] = {}

    def report(file: str) -> dict[str, str]:
        if file not in known:
            known[file] = editor.run(file)
        return known[file]

    return report
