"""The plug-in's way into GIMP's folders and out of them, and what the doctor says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgpack
import pytest

from install import gimp
from install.doctor import (
    Finding,
    check_connection,
    check_download,
    check_gimps,
    check_plugin,
    check_plugins,
    check_speed,
)
from install.environment import Environment
from install.gimp import PLUGIN, Profile, copy_plugin, profiles
from install.gimp_python import FLATPAK, SNAP
from install.steps import InstallError
from tests.install.conftest import PROJECT, program

PYTHON = Path(sys.executable)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """Of a GIMP with the plug-in installed."""
    profile = Profile("GIMP", tmp_path / "GIMP" / "3.0")
    copy_plugin(PROJECT, profile.plug_ins, PYTHON, Path(msgpack.__file__).parent)
    return profile


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", ".config/GIMP/3.0"),
        ("linux", ".var/app/org.gimp.GIMP/config/GIMP/3.2"),
        ("linux", "snap/gimp/current/.config/GIMP/3.0"),
        ("darwin", "Library/Application Support/GIMP/3.0"),
        ("win32", "AppData/Roaming/GIMP/3.0"),
    ],
)
def test_a_profile_is_found_where_each_kind_of_gimp_has_it(tmp_path: Path, platform: str, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    assert [profile.folder for profile in profiles(tmp_path, {}, platform)] == [tmp_path / folder]


def test_gimp_2_is_passed_over_and_every_gimp_3_is_found(tmp_path: Path) -> None:
    for version in ("2.10", "3.0", "3.2"):
        (tmp_path / ".config/GIMP" / version).mkdir(parents=True)
    assert [profile.folder.name for profile in profiles(tmp_path, {}, "linux")] == ["3.0", "3.2"]


def test_an_explicit_folder_stands_for_all(tmp_path: Path) -> None:
    (tmp_path / ".config/GIMP/3.0").mkdir(parents=True)
    found = profiles(tmp_path, {"GIMP3_DIRECTORY": "/else/where"}, "linux")
    assert [profile.plug_ins for profile in found] == [Path("/else/where/plug-ins")]


def test_what_is_copied_can_be_run_and_needs_no_compiled_module(profile: Profile) -> None:
    folder = profile.plug_ins / PLUGIN
    assert os.access(folder / f"{PLUGIN}.py", os.X_OK)
    assert json.loads((folder / "installation.json").read_text()) == {"python": str(PYTHON)}
    assert not [path for path in folder.rglob("*") if path.suffix in (".so", ".pyd") or path.is_symlink()]
    program = "import msgpack, plugin_client.client, plugin_client.transports.bridge; print(msgpack.packb({'a': 1}))"
    isolated = [sys.executable, "-S", "-E", "-c", program]  # -S: nothing that pip installed is seen
    run = subprocess.run(isolated, cwd=folder, capture_output=True, text=True, check=False)
    assert run.stdout == "b'\\x81\\xa1a\\x01'\n", run.stderr


def test_the_plug_in_is_told_of_a_shared_daemon(profile: Profile) -> None:
    folder = copy_plugin(PROJECT, profile.plug_ins, PYTHON, Path(msgpack.__file__).parent, "tcp://studio:5555")
    installation = json.loads((folder / "installation.json").read_text())
    assert installation == {"python": str(PYTHON), "endpoint": "tcp://studio:5555"}


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        ("", "is no key file"),
        ('{"address": "tcp://studio:1"}', "is for the daemon at tcp://studio:1, not for tcp://s:2"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(tmp_path: Path, contents: str, complaint: str) -> None:
    key = tmp_path / "ada.key"
    key.write_text(contents)
    with pytest.raises(InstallError, match=complaint):
        gimp.run(Environment(PROJECT), ["--daemon", "tcp://s:2", "--key", str(key)])


def test_installing_again_leaves_nothing_old(profile: Profile) -> None:
    old = profile.plug_ins / PLUGIN / "plugin_client" / "old.py"
    old.touch()
    copy_plugin(PROJECT, profile.plug_ins, PYTHON, Path(msgpack.__file__).parent)
    assert not old.exists()


def test_removing_takes_only_ours(
    profile: Profile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = profile.plug_ins / "other"
    other.mkdir()
    monkeypatch.setenv("GIMP3_DIRECTORY", str(profile.folder))
    assert gimp.run(Environment(PROJECT), ["--remove"]) == 0
    assert list(profile.plug_ins.iterdir()) == [other]
    assert gimp.run(Environment(PROJECT), ["--remove"]) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_without_a_gimp_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GIMP3_DIRECTORY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InstallError, match=r"No GIMP 3 was found: install GIMP 3\.0"):
        gimp.run(Environment(PROJECT), [])


def test_the_doctor_finds_nothing_amiss_with_a_plugin_that_was_just_installed(profile: Profile) -> None:
    assert check_plugin(profile, PYTHON).to_do == ""


def test_the_doctor_names_a_lost_run_bit(profile: Profile) -> None:
    (profile.plug_ins / PLUGIN / f"{PLUGIN}.py").chmod(0o644)
    assert "may not be run" in check_plugin(profile, PYTHON).found


def test_the_doctor_knows_the_python_of_a_windows_path(profile: Profile) -> None:
    python = Path(r"C:\Users\me\kandinsky\.venv\Scripts\python.exe")
    copy_plugin(PROJECT, profile.plug_ins, python, Path(msgpack.__file__).parent)
    assert check_plugin(profile, python).to_do == ""


def test_the_doctor_tells_the_version_of_each_gimp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "gimp-console-3.0", "echo GNU Image Manipulation Program version 3.0.4")
    program(tmp_path, "flatpak", '[ "$*" = "run org.gimp.GIMP --version" ] && echo GIMP version 3.2.6')
    program(tmp_path, "snap", '[ "$*" = "run gimp --version" ] && echo GIMP version 3.0.8')
    monkeypatch.setenv("PATH", str(tmp_path))
    kinds = (("distribution or AppImage", "3.0"), (FLATPAK, "3.2"), (SNAP, "3.0"), ("distribution or AppImage", "3.2"))
    found = check_gimps([Profile(kind, tmp_path / version) for kind, version in kinds])
    assert [finding.found for finding in found[:3]] == ["3.0.4", "3.2.6", "3.0.8"]
    assert found[3].found.endswith("There is no GIMP 3.2 on the path that could be asked for its Python.")


def test_the_doctor_tells_of_a_gimp_that_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "gimp", "echo GNU Image Manipulation Program version 2.10.36")
    monkeypatch.setenv("PATH", str(tmp_path))
    (old,) = check_gimps([])
    assert (old.found, old.to_do[:33]) == ("only 2.10.36", "Install GIMP 3.0 or newer (gimp.o")


def test_the_doctor_says_what_came_in_place_of_an_answer(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a GIMP that does not see the folder of the daemon that runs."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("KANDINSKY_BLEND_HOME", str(tmp_path / "nobody"))
    found = check_connection(profile, PYTHON, daemon_runs=True)
    assert "but a message did not come back: no daemon runs at " in found.found
    assert found.to_do == "Run python3 install gimp"
    assert check_connection(profile, PYTHON, daemon_runs=False).to_do == ""


def test_the_doctor_says_what_models_run_on_and_never_minds(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin"
    assert check_speed(Environment(tmp_path)) == []
    python.mkdir(parents=True)
    program(python, "python", "echo models run on compiled plans: executor.so")
    assert check_speed(Environment(tmp_path)) == [Finding("speed", "models run on compiled plans: executor.so")]
    program(python, "python", "echo models run on operators: no C++ compiler was found; exit 1")
    (slow,) = check_speed(Environment(tmp_path))
    assert slow.found.endswith("no C++ compiler was found")
    assert slow.to_do
    assert not slow.is_amiss


def test_the_doctor_says_how_much_of_the_model_is_there(tmp_path: Path) -> None:
    hub = tmp_path / ".cache/huggingface/hub"
    assert check_download(tmp_path, {}).found == f"not in {hub}; the small one is there"
    for name in ("kandinsky-2-1", "kandinsky-2-1-prior"):
        folder = hub / f"models--kandinsky-community--{name}"
        (folder / "snapshots/abc").mkdir(parents=True)
        (folder / "snapshots/abc/model_index.json").touch()
        (folder / "blobs").mkdir()
    assert check_download(tmp_path, {}).to_do == ""
    (folder / "blobs/def.incomplete").touch()
    assert check_download(tmp_path, {}).found == f"not all in {hub}"
    assert check_download(tmp_path, {"HF_HOME": "/elsewhere"}).found == "not in /elsewhere/hub; the small one is there"


def test_the_doctor_notices_a_moved_project_and_a_missing_plugin(profile: Profile, tmp_path: Path) -> None:
    assert "another folder" in check_plugin(profile, Path("/moved/.venv/bin/python")).found
    (missing,) = check_plugins([Profile("GIMP", tmp_path / "none")], PYTHON)
    assert "is not in" in missing.found
    (nothing,) = check_plugins([], PYTHON)
    assert nothing.to_do == "Start GIMP 3 once, then run python3 install gimp"
