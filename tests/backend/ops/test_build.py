"""Compiling the executor: found again, told apart, safe against two at a time and against being killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kandinsky_backend.ops.plans import build, runtime
from kandinsky_backend.ops.plans.build import NoExecutor

BUILD = "from kandinsky_backend.ops.plans import build; print(build.library())"


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str) -> Path:
    """A stand-in for g++ that writes down that it was called, does something, and writes its output."""
    path = tmp_path / "compiler"
    path.write_text(
        f"""#!/bin/sh
[ "$1" = --version ] && {{ echo stand-in 1; exit; }}
echo called >> {tmp_path}/calls
while [ "$1" != -o ]; do shift; done
echo half > "$2"
{does}
echo whole > "$2"
"""
    )
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))
    return path


def calls(tmp_path: Path) -> int:
    file = tmp_path / "calls"
    return len(file.read_text().splitlines()) if file.exists() else 0


def wait_for(tmp_path: Path, count: int) -> None:
    while calls(tmp_path) < count:
        time.sleep(0.02)


def test_an_executor_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path, monkeypatch, "true")
    path = build.library()
    assert build.library() == path
    assert path.read_text() == "whole\n"
    assert calls(tmp_path) == 1
    assert list(path.parent.iterdir()) == [path]


def test_another_compiler_makes_another_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiler(tmp_path, monkeypatch, "true")
    before = build.library()
    program.write_text(program.read_text().replace("stand-in 1", "stand-in 2"))
    assert build.library() != before


def test_two_processes_at_once_both_get_a_whole_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path, monkeypatch, f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
    both = [subprocess.Popen([sys.executable, "-c", BUILD], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    wait_for(tmp_path, 2)
    (tmp_path / "go").touch()
    paths = {process.communicate()[0].strip() for process in both}
    assert len(paths) == 1
    assert Path(paths.pop()).read_text() == "whole\n"


def test_a_killed_build_leaves_nothing_that_is_taken_for_an_executor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler(tmp_path, monkeypatch, f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
    killed = subprocess.Popen([sys.executable, "-c", BUILD], start_new_session=True)
    wait_for(tmp_path, 1)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    (tmp_path / "go").touch()
    assert build.library().read_text() == "whole\n"
    assert calls(tmp_path) == 2


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoExecutor, match=r"no C\+\+ compiler.*apt install g\+\+"):
        build.library()


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path, monkeypatch, "echo no such header >&2; exit 1")
    with pytest.raises(NoExecutor, match="no such header"):
        build.library()


def test_an_older_mindspore_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "ONEDNN", tmp_path / "libdnnl.so.3")
    with pytest.raises(NoExecutor, match=r"brings no libdnnl\.so\.3"):
        build.library()


def test_without_an_executor_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    runtime.load.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert runtime.executor() is None
            assert runtime.executor() is None
    finally:
        runtime.load.cache_clear()
    (record,) = caplog.records
    assert "apt install g++" in record.message


def test_what_is_no_library_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler(tmp_path, monkeypatch, "true")
    runtime.load.cache_clear()
    try:
        assert runtime.executor() is None
    finally:
        runtime.load.cache_clear()
