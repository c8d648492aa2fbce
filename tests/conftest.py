"""What all tests share: a small random model, and at the end the worst errors and the embedded model's scores."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.embedded.score import SCORES
from tests.golden.compare import COMPARISONS

os.environ["LANGUAGE"] = "en"  # the plug-in's texts, on a machine that speaks another
hypothesis.settings.register_profile("any machine", deadline=None)  # one that is loaded takes its time
hypothesis.settings.load_profile("any machine")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts us in the background has it ignored
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored under nohup, which the daemons of tests would inherit


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail the test that leaves a thread for which the whole run would wait at its end."""
    before = set(threading.enumerate())
    yield
    assert not [thread for thread in set(threading.enumerate()) - before if not thread.daemon]


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prior/ and decoder/ of tiny_a in float32. Read only: copy what is to be changed."""
    from tests.random_checkpoint import write_checkpoint  # it loads MindSpore, which most tests can do without

    folder = tmp_path_factory.mktemp("tiny_a")
    write_checkpoint(folder, "tiny_a")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COMPARISONS:
        _show_comparisons(terminalreporter)
    if SCORES:
        terminalreporter.section("scores of the embedded model: reached, and the least that they must be")
        for score in sorted(SCORES):
            terminalreporter.line(str(score))


def _show_comparisons(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("golden comparison with diffusers: worst absolute errors")
    width = max(len(row.name) for row in COMPARISONS)
    terminalreporter.line(f"{'output':{width}}  {'worst':>8}  {'limit':>8}")
    for row in sorted(COMPARISONS):
        failed = "" if row.worst <= row.limit else "  FAILED"
        terminalreporter.line(f"{row.name:{width}}  {row.worst:8.1e}  {row.limit:8.0e}{failed}")
