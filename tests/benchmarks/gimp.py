"""The plug-in in a real GIMP, with a real daemon and a small random model: what its user waits for, as a table.

    python -m tests.benchmarks.gimp

KANDINSKY_GIMP chooses the GIMP, 3.0 by default. The pictures are 768 x 768, and so is the layer that goes in. Drafts
are drawn by the small model that ships with the package, at the size that it draws best.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from plugin_client import launch
from plugin_client.wire.paths import HOME_VARIABLE
from tests.benchmarks.timed_engine import FILE
from tests.gimp.conftest import BROKEN, ZMQ_IN_ROOT
from tests.gimp.editor import PROJECT, Editor
from tests.gimp.root import root
from tests.random_checkpoint import write_checkpoint

Timings = dict[str, list[float]]  # seconds of each repetition

ROWS = {
    "menu": "menu entry to dialog",
    "feedback": "Generate to first feedback",
    "stop": "Stop to the end of the job",
    "job": "Generate to the layer",
    "job over": "... of it not the backend's",
    "process": "a script's call that is refused: GIMP and Python start",
    "call": "a script's call to the layer",
    "call over": "... of it neither that nor the backend's",
    "draft": "puck to draft, by the small model",
}


@contextmanager
def daemon(home: Path) -> Iterator[None]:
    """One of this folder, with a small random model and an engine that keeps its times."""
    home.mkdir(mode=0o700)
    write_checkpoint(home / "model")
    engine = "--engine=tests.benchmarks.timed_engine:TimedEngine"
    with running(home, engine, "--model", str(home / "model")):
        yield


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[None]:
    """A daemon of this folder."""
    os.environ |= {HOME_VARIABLE: str(home), "PYTHONPATH": str(PROJECT)}
    launch.start(None, list(arguments)).close()
    try:
        yield
    finally:
        launch.stop(None)


def measure(editor: Editor) -> Timings:
    """Of a GIMP with a window, then of one without."""
    editor.install()
    window = check(editor, editor.run_window("timings"))
    window["job over"] = over(window["job"], editor.home)
    calls = check(editor, editor.run("timed_calls.py"))
    calls["call over"] = over(calls["call"], editor.home, median(calls["process"]))
    return window | calls


def measure_drafts(root_: Path, folder: Path) -> Timings:
    """Of a GIMP with a window, beside a daemon with the small model."""
    home, profile = folder / "small", folder / "drafts"
    home.mkdir(mode=0o700)
    profile.mkdir()
    editor = Editor(root_, profile, home)
    editor.install()
    with running(home):
        return check(editor, editor.run_window("draft_timings"))


def check(editor: Editor, complaints: dict[str, str]) -> Timings:
    for complaint in filter(None, complaints.values()):
        raise SystemExit(complaint)
    timings: Timings = json.loads((editor.folder / "timings.json").read_text())
    return timings


def over(jobs: Sequence[float], home: Path, process: float = 0.0) -> list[float]:
    """What is left of each without the backend's own time; that of the job before them, which loads, is passed over."""
    made = [float(line) for line in (home / FILE).read_text().split()]
    (home / FILE).unlink()
    return [job - backend - process for job, backend in zip(jobs, made[1 : 1 + len(jobs)], strict=True)]


def rows(timings: Timings) -> list[str]:
    return [row(title, timings[kind]) for kind, title in ROWS.items() if kind in timings]


def row(title: str, seconds: Sequence[float]) -> str:
    found = (min(seconds), median(seconds), max(seconds))
    return f"{title:56}" + "".join(f"{1000 * value:8.0f}" for value in found)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, home = Path(name), Path(name, "h")
        (folder / "broken.py").write_text(BROKEN)
        with daemon(home):
            for transport, replaced in {"direct": {}, "bridge": {ZMQ_IN_ROOT: folder / "broken.py"}}.items():
                (folder / transport).mkdir()
                timings = measure(Editor(root(), folder / transport, home, replaced))
                heading = f"{transport}, ms, {len(timings['job'])} times"
                print(f"{heading:56}{'least':>8}{'median':>8}{'most':>8}")
                print(*rows(timings), sep="\n", flush=True)
        print(*rows(measure_drafts(root(), folder)), sep="\n", flush=True)


if __name__ == "__main__":
    main()
