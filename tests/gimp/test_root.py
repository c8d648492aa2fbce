"""What is said where no GIMP can be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.gimp.root import NoRoot, root


def test_without_roots_rights_it_says_how_to_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDINSKY_GIMP_ROOT", str(tmp_path / "none"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NoRoot, match="only root can make it: sudo python -m"):
        root()


def test_a_version_that_debian_has_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KANDINSKY_GIMP", "3.9")
    with pytest.raises(NoRoot, match=r"no GIMP 3\.9 to be had here, but 3\.0 and 3\.2"):
        root()
