"""Daemon Status and Recover Lost Results in a real GIMP without a window; the cases are in inside/service_cases.py."""

from __future__ import annotations

import subprocess
import time

import pytest

from plugin_client.client import Client
from tests.gimp.editor import PROJECT, Editor, case_names

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def reports(editor: Editor) -> dict[str, str]:
    kill_gimp_within_a_blend(editor)
    return editor.run("service_cases.py")


def kill_gimp_within_a_blend(editor: Editor) -> None:
    script = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); from tests.gimp.inside.killed import run; run()"
    words = [editor.console, "-idf", "--batch-interpreter", "python-fu-eval", "-b", script, "--quit"]
    gimp = subprocess.Popen([*editor.sandbox({}), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Client() as client:
        deadline = time.monotonic() + 60
        while not client.ping().running:
            assert time.monotonic() < deadline, "the blend did not begin"
            assert gimp.poll() is None, "GIMP ended by itself"
            time.sleep(0.01)
    gimp.kill()
    gimp.wait()


@pytest.mark.parametrize("name", case_names("service_cases.py"))
def test_in_gimp(reports: dict[str, str], name: str) -> None:
    assert not reports[name], reports[name]
