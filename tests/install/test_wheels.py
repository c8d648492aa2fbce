"""How the plug-in is to reach the daemon, GIMP by GIMP: what is asked, what is fetched, and what is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest

from install import gimp, gimp_python
from install.environment import Environment, Stamp
from install.gimp import Profile, connect
from install.gimp_python import FLATPAK, SNAP, GimpPython, NoPython, ask, bundled_pythons, console, find
from install.interpreter import version_of
from install.wheels import NoWheels, add_wheels, platform_tags
from tests.install.conftest import PROJECT, program


def python(platform: str, glibc: str = "") -> GimpPython:
    return GimpPython((sys.executable,), "3.13", platform, glibc, has_modules=False)


def test_a_python_tells_of_itself() -> None:
    found = ask([sys.executable])
    assert (found.version, found.has_modules) == (version_of(Path(sys.executable)), True)


@pytest.mark.parametrize(
    ("platform", "glibc", "best", "last"),
    [
        ("linux-x86_64", "2.41", "manylinux_2_41_x86_64", "manylinux2014_x86_64"),
        ("linux-aarch64", "2.28", "manylinux_2_28_aarch64", "manylinux2014_aarch64"),
        ("win-amd64", "", "win_amd64", "win_amd64"),
        ("macosx-11.0-arm64", "", "macosx_11_0_arm64", "macosx_11_0_arm64"),
    ],
)
def test_pip_is_told_the_platform_in_its_own_words(platform: str, glibc: str, best: str, last: str) -> None:
    tags = platform_tags(python(platform, glibc))
    assert (tags[0], tags[-1]) == (best, last)


@pytest.mark.parametrize("platform", ["mingw_x86_64_ucrt_gnu", "linux-x86_64", "linux-riscv64"])
def test_where_there_are_no_wheels_none_are_looked_for(platform: str, tmp_path: Path) -> None:
    with pytest.raises(NoWheels, match=f"^There are no wheels of pyzmq and msgpack for Python 3.13 on {platform}"):
        add_wheels(python(platform), tmp_path, Environment(PROJECT))
    assert list(tmp_path.iterdir()) == []


def test_the_python_in_a_flatpak_and_in_a_snap_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = f'exec {sys.executable} "$@"'
    program(tmp_path, "flatpak", f'[ "$1 $2 $3" = "run --command=python3 org.gimp.GIMP" ] && shift 3\n{here}')
    program(tmp_path, "snap", f'[ "$1 $2 $3 $4" = "run --shell gimp -c" ] && shift 6\n{here}')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for kind in (FLATPAK, SNAP):
        assert find(kind, "3.0", "linux", {}).version == version_of(Path(sys.executable))


def test_a_gimp_of_another_version_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "gimp-console", "echo GNU Image Manipulation Program version 3.2.6")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert console("3.2") == "gimp-console"
    with pytest.raises(NoPython, match=r"^There is no GIMP 3\.0 on the path"):
        console("3.0")


def test_the_bundles_of_windows_and_macos_are_looked_into(tmp_path: Path) -> None:
    windows, mac = tmp_path / "GIMP 3/bin/python3.12.exe", tmp_path / "Applications/GIMP.app/Contents/MacOS/python3.10"
    for path in (windows, mac):
        path.parent.mkdir(parents=True)
        path.touch()
    assert bundled_pythons("win32", {"ProgramFiles": str(tmp_path)}) == [windows]
    assert bundled_pythons("darwin", {}, tmp_path) == [mac]
    with pytest.raises(NoPython, match="in none of its usual folders"):
        find("GIMP", "3.0", "win32", {})


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("GIMP", "It talks to the daemon through "), (FLATPAK, "It cannot reach the daemon yet: a GIMP in a sandbox")],
)
def test_without_wheels_it_says_what_is_done_instead_and_why(
    kind: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gimp_python, "find", lambda *_: python("mingw_x86_64_ucrt_gnu"))
    said = connect(Profile(kind, tmp_path / "3.0"), tmp_path, Environment(PROJECT))
    assert said.startswith(sentence)
    assert said.endswith("There are no wheels of pyzmq and msgpack for Python 3.13 on mingw_x86_64_ucrt_gnu.")


def test_pyzmq_that_gimp_has_is_used(tmp_path: Path) -> None:
    found = GimpPython((sys.executable,), "3.13", "linux-x86_64", "2.41", has_modules=True)
    assert gimp.reach(found, tmp_path, Environment(PROJECT)).endswith("Python 3.13 of this GIMP has pyzmq.")


# Windows as far as it can be had here: no fcntl, other folders, and its own lock.
ON_WINDOWS = """\
import shutil, subprocess, sys, tempfile, types
sys.modules["fcntl"] = None
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda file, mode, size: print("locked"))
sys.platform = "win32"
from pathlib import Path
from install import gimp
from install.environment import Environment
sys.exit(gimp.run(Environment(Path(sys.argv[1])), sys.argv[2:]))
"""


def test_on_windows_the_plug_in_goes_into_appdata_and_out_again(tmp_path: Path) -> None:
    project, roaming = tmp_path / "clone", tmp_path / "Roaming"
    plug_ins = roaming / "GIMP" / "3.0" / "plug-ins"
    plug_ins.mkdir(parents=True)
    windows_environment(project)

    def run(*arguments: str) -> str:
        variables = {**os.environ, "APPDATA": str(roaming), "PYTHONPATH": str(PROJECT)}
        for name in ("GIMP3_DIRECTORY", "ProgramFiles", "LOCALAPPDATA"):
            variables.pop(name, None)
        command = [sys.executable, "-c", ON_WINDOWS, str(project), *arguments]
        return subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout

    assert "GIMP is in none of its usual folders" in run()
    installation = json.loads((plug_ins / "kandinsky-blend/installation.json").read_text())
    assert installation["python"].endswith("python.exe")
    assert "no longer in" in run("--remove")
    assert list(plug_ins.iterdir()) == []


def windows_environment(project: Path) -> None:
    """A finished one as Windows has it."""
    (project / ".venv/Scripts").mkdir(parents=True)
    (project / ".venv/Scripts/python.exe").symlink_to(sys.executable)
    (project / ".venv/Lib/site-packages").mkdir(parents=True)
    (project / ".venv/Lib/site-packages/msgpack").symlink_to(Path(msgpack.__file__).parent)
    for name in ("pyproject.toml", "plugin_client"):
        (project / name).symlink_to(PROJECT / name)
    environment = Environment(project)
    stamp = Stamp(str(project), str(version_of(Path(sys.executable))), environment.pyproject_hash(), [])
    stamp.write(project / ".venv/installed.json")
