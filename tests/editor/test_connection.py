"""Whether a daemon can be started from GIMP, and the line for where it cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plugin_client.editor import connection
from plugin_client.editor.connection import Installation, advice, start_daemon, why_no_start
from plugin_client.wire.errors import DaemonNotRunning


@pytest.fixture
def installation() -> Installation:
    """Of this environment, which has the command."""
    return Installation(sys.executable)


def test_where_the_program_is_nothing_is_amiss(installation: Installation) -> None:
    assert why_no_start(installation) == ""
    assert installation.start_line == f"{Path(sys.executable).with_name('kandinsky-blend')} start"


def test_where_the_program_is_not_it_is_named(tmp_path: Path) -> None:
    moved = Installation(str(tmp_path / "my folder" / "python"))
    assert why_no_start(moved) == f"the program {tmp_path}/my folder/kandinsky-blend is not there"
    assert moved.start_line == f"'{tmp_path}/my folder/kandinsky-blend' start"


def test_where_the_program_is_not_the_advice_is_another_one(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert advice(installation) == installation.start_line
    moved = tmp_path / "python"
    (tmp_path / connection.INSTALLATION_FILE).write_text(f'{{"python": "{moved}"}}')
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "kandinsky-blend.py")])
    assert advice(Installation.read()) == "python3 install gimp"
    with pytest.raises(DaemonNotRunning, match=r"Run `python3 install gimp` again in the project's folder$"):
        start_daemon()


@pytest.mark.parametrize(
    ("name", "reason"), [("gimp", "a GIMP in a Snap starts no programs outside of it"), ("code", "")]
)
def test_in_a_snap_of_gimp_none_is_started_and_in_a_terminal_of_another_snap_it_is(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.setenv("SNAP_NAME", name)
    assert why_no_start(installation) == reason


def test_the_bridge_of_a_shared_daemon_is_told_its_address() -> None:
    assert Installation("python", "tcp://studio:5555").bridge[-1] == "tcp://studio:5555"
    assert Installation("python").bridge[-1] == "plugin_client.transports.bridge_process"
