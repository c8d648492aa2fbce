"""A GIMP that `install gimp --daemon ADDRESS --key FILE` has set up for a daemon that somebody else runs."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.gimp.editor import PROJECT, Editor
from tests.gimp.test_installed import make_clone

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ADDRESS = "tcp://127.0.0.1:5599"  # in a network of its own
# All in one sandbox, whose processes share that network: the daemon in a home of its own, then the artist's side.
SCRIPT = """
cd "$HOME" && mkdir -m 700 studio
export PYTHONPATH={project}
KANDINSKY_BLEND_HOME=$HOME/studio {python} -m daemon keys add ada {address} || exit 1
KANDINSKY_BLEND_HOME=$HOME/studio {python} -m daemon --engine tests.client.painter:Painter --endpoint {address} &
daemon=$!
unset PYTHONPATH GIMP3_DIRECTORY
python3 clone/install gimp --daemon {address} --key ada.key || exit 1
rm ada.key
{gimp} -idf --batch-interpreter python-fu-eval -b {batch} --quit
kill $daemon
"""


def test_a_gimp_that_was_given_a_key_has_its_pictures_made_by_the_shared_daemon(
    gimp_root: Path, tmp_path: Path
) -> None:
    home = tmp_path / "h"
    home.mkdir(mode=0o700)
    editor = Editor(gimp_root, tmp_path / "ada", home)
    (editor.folder / ".config/GIMP" / editor.version).mkdir(parents=True)
    make_clone(editor.folder / "clone")
    batch = f"import sys; sys.path.insert(0, {str(PROJECT)!r})\n"
    batch += "from tests.gimp.inside.runner import run; run('shared_cases.py')"
    script = SCRIPT.format(
        project=PROJECT, python=sys.executable, address=ADDRESS, gimp=editor.console, batch=shlex.quote(batch)
    )
    done = editor.command("sh", "-c", script)
    assert "It talks to the daemon itself" in done.stdout, done
    (complaint,) = json.loads((editor.folder / "report.json").read_text()).values()
    assert not complaint, f"{complaint}\n{done.stderr}"
    assert "1 a cat, seed" in done.stderr  # the shared daemon's log
    assert list(home.glob("*daemon*.sock")) == []  # no daemon of the artist's own was started
