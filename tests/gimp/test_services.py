"""Daemon Status and lost results in a real GIMP, without a window and with one; the cases are in inside/service*.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from plugin_client.client import Client
from tests.gimp.conftest import BROKEN, ZMQ_IN_ROOT
from tests.gimp.editor import PROJECT, START_LIMIT, Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1000)]

HOME_BYTES = 32 * 2**20  # of the disk that a case fills


@pytest.fixture(scope="module")
def reports(editor: Editor) -> dict[str, str]:
    kill_gimp_within_a_blend(editor)
    return editor.run("service_cases.py")


def kill_gimp_within_a_blend(editor: Editor) -> None:
    script = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from tests.gimp.inside.killed import run; run()"
    words = [editor.console, "-idf", "--batch-interpreter", "python-fu-eval", "-b", script, "--quit"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with Client() as client, subprocess.Popen([*editor.sandbox({}), *words], **quiet) as gimp:
        try:
            wait_for_a_job(client)
        finally:
            gimp.kill()


def wait_for_a_job(client: Client) -> None:
    deadline = time.monotonic() + START_LIMIT
    while not client.ping().running:
        assert time.monotonic() < deadline, "the blend did not begin"
        time.sleep(0.01)


@pytest.mark.parametrize("name", case_names("service_cases.py"))
def test_in_gimp(reports: dict[str, str], name: str) -> None:
    assert not reports[name], reports[name]


@pytest.fixture(scope="module", params=["direct", "bridge"])
def lone_reports(
    request: pytest.FixtureRequest, gimp_root: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp(f"lone-{request.param}")
    return make_lone_editor(request.param, gimp_root, folder, tiny_checkpoint).run_window("service_window_cases")


def make_lone_editor(transport: str, gimp_root: Path, folder: Path, checkpoint: Path) -> Editor:
    """A GIMP beside which no daemon runs, and which starts one with a small model."""
    shutil.copytree(checkpoint, folder / "model")
    (folder / "broken.py").write_text(BROKEN)
    replaced = {ZMQ_IN_ROOT: folder / "broken.py"} if transport == "bridge" else {}
    editor = Editor(gimp_root, folder, folder / "home", replaced, home_bytes=HOME_BYTES)
    editor.install()
    programs = make_programs(folder / "bin", folder / "model")
    installation = {"python": str(programs / "python")}
    (folder / "plug-ins/kandinsky-blend/installation.json").write_text(json.dumps(installation))
    editor.watch_the_main_loop()
    return editor


def make_programs(folder: Path, model: Path) -> Path:
    """The programs of an environment whose daemon offers `model` in float32 unless told otherwise."""
    folder.mkdir()
    call = "import sys; from plugin_client.cli.__main__ import main; sys.exit(main())"
    commands = {"python": '"$@"', "kandinsky-blend": f"-c '{call}' \"$@\" --model {model} --precision float32"}
    for name, arguments in commands.items():
        (folder / name).write_text(f"#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} {arguments}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("name", case_names("service_window_cases.py"))
def test_in_a_window(lone_reports: dict[str, str], name: str) -> None:
    assert not lone_reports[name], lone_reports[name]
