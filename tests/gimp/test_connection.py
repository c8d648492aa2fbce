"""Whether a daemon can be started from GIMP, and the line for where it cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plugin_client.gimp.connection import Installation, why_no_start


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


@pytest.mark.parametrize(
    ("name", "reason"), [("gimp", "a GIMP in a Snap starts no programs outside of it"), ("code", "")]
)
def test_in_a_snap_of_gimp_none_is_started_and_in_a_terminal_of_another_snap_it_is(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    monkeypatch.setenv("SNAP_NAME", name)
    assert why_no_start(installation) == reason
