"""`install gimp` and `install doctor`, run where a real GIMP is, from a clone with an environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest

from install.environment import Environment, Stamp
from tests.gimp.editor import PROJECT, Editor
from tests.install.conftest import program

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def home(gimp_root: Path, daemon_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Editor:
    """A user's home with a GIMP profile, and a clone that is installed."""
    editor = Editor(gimp_root, tmp_path_factory.mktemp("home"), daemon_home)
    (editor.folder / ".config/GIMP" / editor.version).mkdir(parents=True)
    make_clone(editor.folder / "clone")
    return editor


def make_clone(folder: Path) -> None:
    """The project with an environment that holds what this one holds."""
    for name in ("install", "plugin_client"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", folder)
    call = "import sys; from plugin_client.cli.__main__ import main; sys.exit(main())"
    scripts = {"python": sys.executable, "kandinsky-blend": f"{sys.executable} -c '{call}'"}
    (folder / ".venv/bin").mkdir(parents=True)
    for name, command in scripts.items():
        path = folder / ".venv/bin" / name
        path.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {command} "$@"\n')
        path.chmod(0o755)
    packages = folder / f".venv/lib/python{VERSION}/site-packages"
    packages.mkdir(parents=True)
    shutil.copytree(Path(msgpack.__file__).parent, packages / "msgpack")
    environment = Environment(folder)
    Stamp(str(folder), VERSION, environment.pyproject_hash(), []).write(folder / ".venv/installed.json")


def install(home: Editor, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clone = str(home.folder / "clone" / "install")
    return home.command("env", "-u", "GIMP3_DIRECTORY", "python3", clone, *arguments, **variables)


def lines(run: subprocess.CompletedProcess[str], start: str) -> list[str]:
    return [line for line in run.stdout.splitlines() if line.startswith(start)]


def test_before_the_plug_in_is_installed_the_doctor_says_how(home: Editor) -> None:
    run = install(home, "doctor")
    assert f"AMISS plug-in of GIMP {home.version} (distribution or AppImage): it is not in " in run.stdout, run.stdout
    assert lines(run, "      -> Run python3 install gimp")
    assert run.returncode == 1


def test_it_is_installed_and_says_how_it_reaches_the_daemon(home: Editor) -> None:
    for _ in range(2):
        run = install(home, "gimp")
        assert run.returncode == 0, run.stderr
        assert "itself: Python 3." in run.stdout, run.stdout


def test_with_a_daemon_all_is_well(home: Editor) -> None:
    run = install(home, "doctor")
    assert run.stdout.endswith("\n\nNothing is amiss.\n"), run.stdout
    assert run.returncode == 0
    assert re.match("ok    Ray: 2.* no cluster runs on this machine", lines(run, "ok    Ray")[0])
    assert lines(run, "ok    speed: models run on ")
    assert ": direct, with the pyzmq of GIMP's Python 3." in lines(run, "ok    connection of GIMP 3.")[0]
    assert ": daemon 0.1.0 at ipc:" in lines(run, "ok    daemon")[0]
    assert lines(run, "ok    connection of GIMP 3.")[0].endswith("; a message came back")
    assert re.search(r"^ok    model: .*, loaded", run.stdout, flags=re.MULTILINE), run.stdout


def test_every_kind_of_gimp_gets_the_plug_in_and_a_line_of_the_doctor(home: Editor) -> None:
    """A Flatpak and a Snap whose Python is the same one, and a profile of an AppImage, which nobody can be asked of."""
    for folder in (".var/app/org.gimp.GIMP/config/GIMP/3.0", "snap/gimp/current/.config/GIMP/3.0", ".config/GIMP/3.9"):
        (home.folder / folder).mkdir(parents=True)
    (home.folder / "bin").mkdir()
    program(home.folder / "bin", "flatpak", 'shift 3; exec python3 "$@"')
    program(home.folder / "bin", "snap", 'shift 6; exec python3 "$@"')
    path = f"{home.folder / 'bin'}:/usr/bin:/bin"
    run = install(home, "gimp", PATH=path)
    assert run.stdout.count("the plug-in is in ") == 4, run.stdout
    assert run.stdout.count("itself: Python 3.") == 3, run.stdout
    assert run.stdout.count("It cannot start the daemon: before you blend, run ") == 2
    run = install(home, "doctor", PATH=path)
    assert run.returncode == 0, run.stdout
    connections = lines(run, "ok    connection of GIMP")
    assert len(connections) == 4, run.stdout
    assert all(line.endswith("; a message came back") for line in connections), run.stdout
    assert "through " in connections[1], connections
    run = install(home, "gimp", "--remove", PATH=path)
    assert run.stdout.count("the plug-in is no longer in ") == 4
    for folder in (".var", "snap", ".config/GIMP/3.9"):
        shutil.rmtree(home.folder / folder)
    install(home, "gimp")


def test_without_a_daemon_it_says_how_one_comes(home: Editor) -> None:
    run = install(home, "doctor", KANDINSKY_BLEND_HOME=str(home.folder / "nobody"))
    assert run.returncode == 0, run.stdout
    assert lines(run, "ok    daemon: no daemon runs at ")
    assert lines(run, "ok    full model: not in ")
    assert lines(run, "      -> GIMP starts one when it needs it. To do so now: ")[0].endswith("kandinsky-blend start")


def test_it_goes_without_a_trace(home: Editor) -> None:
    assert install(home, "gimp", "--remove").returncode == 0
    assert list((home.folder / ".config/GIMP" / home.version / "plug-ins").iterdir()) == []
