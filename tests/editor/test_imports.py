"""Every module of the room runs in a Python that has neither gi nor pyzmq."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.gimp.editor import PROJECT

ROOM = PROJECT / "plugin_client" / "editor"


@pytest.mark.parametrize("module", sorted(path.stem for path in ROOM.glob("*.py")))
def test_a_module_needs_no_editor_around_it(module: str) -> None:
    program = f"import sys; sys.modules['gi'] = sys.modules['zmq'] = None; import plugin_client.editor.{module}"
    run = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
