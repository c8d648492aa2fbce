"""The wheels that the installer puts beside the plug-in, in a real GIMP and with the real package index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from install.environment import Environment
from install.gimp import PLUGIN, reach
from install.gimp_python import GimpPython, ask_gimp
from install.wheels import NoWheels
from tests.gimp.conftest import BROKEN, MSGPACK_IN_ROOT, ZMQ_IN_ROOT
from tests.gimp.editor import PROJECT, Editor

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def bare(gimp_root: Path, daemon_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Editor:
    """A GIMP with neither pyzmq nor msgpack."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "broken.py").write_text(BROKEN)
    replaced = dict.fromkeys((ZMQ_IN_ROOT, MSGPACK_IN_ROOT), folder / "broken.py")
    editor = Editor(gimp_root, folder, daemon_home, replaced)
    editor.install()
    return editor


@pytest.fixture(scope="module")
def python(bare: Editor) -> GimpPython:
    return ask_gimp([*bare.sandbox({}), bare.console])


def beside(editor: Editor) -> Path:
    return editor.folder / "plug-ins" / PLUGIN


def test_gimp_tells_of_its_python(python: GimpPython) -> None:
    assert python.platform.startswith("linux-")
    assert python.glibc.startswith("2.")
    assert not python.has_modules


def test_without_a_network_the_reason_is_told_and_nothing_is_left(
    bare: Editor, python: GimpPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(beside(bare).iterdir())
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(NoWheels, match=r"^The package index cannot be reached: check the network"):
        reach(python, beside(bare), Environment(PROJECT))
    assert sorted(beside(bare).iterdir()) == before


def test_with_wheels_the_plug_in_reaches_the_daemon_itself(bare: Editor, python: GimpPython) -> None:
    said = reach(python, beside(bare), Environment(PROJECT))
    assert said.startswith("It talks to the daemon itself: msgpack 1."), said
    (beside(bare) / "installation.json").write_text(json.dumps({"python": "/no/bridge"}))
    report = bare.run("wheel_cases.py")
    assert not any(report.values()), report
