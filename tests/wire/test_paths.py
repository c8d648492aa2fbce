from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from plugin_client.wire import paths
from plugin_client.wire.errors import EndpointError
from tests.refusals import refused

pytestmark = pytest.mark.usefixtures("home")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps others out by access lists, not by modes")


# --- addresses ---------------------------------------------------------------------------------------------------


def test_the_default_is_a_socket_in_the_data_folder(home: Path) -> None:
    assert paths.parse_endpoint(None) == f"ipc://{home}/daemon.sock"


def test_the_data_folder_is_the_same_in_a_sandbox_that_changes_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(paths.HOME_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    monkeypatch.setattr(sys, "platform", "linux")
    assert paths.data_folder() == Path.home() / ".local/share/kandinsky-blend"


@pytest.mark.parametrize(
    "address", ["ipc:///run/x.sock", "tcp://127.0.0.1:5555", "tcp://[::1]:80", "tcp://studio-2.local:1"]
)
def test_good_addresses_are_taken_as_they_are(address: str) -> None:
    assert paths.parse_endpoint(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "x", "ipc://", "ipc://relative.sock", "ipc://@abstract", "tcp://*:5555", "tcp://host", "tcp://host:99999",
     "tcp://host:5555 ", "tcp://host:-1", "tcp://host:5555\n", "http://host:80", "inproc://x"],
)  # fmt: skip
def test_bad_addresses_are_refused_by_name(address: str) -> None:
    with refused(EndpointError, "no-endpoint", address=address):
        paths.parse_endpoint(address)


def test_a_socket_path_that_the_system_cannot_hold_is_refused_with_its_length() -> None:
    longest = "/" + "x" * (paths.MAX_SOCKET_PATH_BYTES - 1)
    paths.parse_endpoint(f"ipc://{longest}")
    with refused(EndpointError, "socket-path-too-long", count=paths.MAX_SOCKET_PATH_BYTES + 1):
        paths.parse_endpoint(f"ipc://{longest}x")
    with refused(EndpointError, "socket-path-too-long", count=paths.MAX_SOCKET_PATH_BYTES + 1):
        paths.parse_endpoint(f"ipc://{longest[:-1]}é")


# --- the folder --------------------------------------------------------------------------------------------------


@posix
def test_the_data_folder_is_made_for_its_user_alone(home: Path) -> None:
    assert paths.make_data_folder() == home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    paths.make_data_folder()


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722, 0o755])
def test_a_folder_that_others_can_enter_is_refused_when_it_holds_anything(home: Path, mode: int) -> None:
    home.mkdir()
    (home / "daemon.json").touch(0o600)
    home.chmod(mode)
    with refused(EndpointError, "open-to-others", path=home, mode=f"{mode & 0o077:03o}"):
        paths.make_data_folder()
    assert stat.S_IMODE(home.stat().st_mode) == mode


@posix
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o755, 0o750])
def test_an_empty_folder_that_mkdir_made_is_closed_to_others(home: Path, mode: int) -> None:
    home.mkdir()
    home.chmod(mode)
    assert paths.make_data_folder() == home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@posix
def test_an_empty_folder_behind_a_link_is_closed_too(home: Path) -> None:
    real = home.with_name("real")
    real.mkdir()
    real.chmod(0o755)
    home.symlink_to(real)
    paths.make_data_folder()
    assert stat.S_IMODE(real.stat().st_mode) == 0o700


@posix
def test_an_empty_folder_of_another_user_is_left_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    home.chmod(0o755)
    monkeypatch.setattr("os.getuid", lambda: home.stat().st_uid + 1)
    with refused(EndpointError, "other-owner", owner=home.stat().st_uid):
        paths.make_data_folder()
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


def test_a_folder_that_cannot_be_made_is_named(home: Path) -> None:
    home.write_text("a file stands here")
    with refused(EndpointError, "no-folder", path=home):
        paths.make_data_folder()


def test_all_programs_of_a_user_have_one_token_that_others_cannot_read(home: Path) -> None:
    assert paths.owner_token() == ""  # there is no data folder yet, and none is made for it
    home.mkdir(mode=0o700)
    token = paths.owner_token()
    assert len(token) == 64
    assert paths.owner_token() == token
    assert stat.S_IMODE((home / "client.token").stat().st_mode) == 0o600
    (home / "client.token").chmod(0o644)
    assert paths.owner_token() == ""


# --- what a client trusts ----------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_folder_on_the_way_in_which_others_may_rename_is_refused(
    tmp_path: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getgid", lambda: tmp_path.stat().st_gid + 1)  # the folders' group is not the user's own
    folder = tmp_path / "open" / "private"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    paths.check_trusted(folder)
    folder.parent.chmod(mode)
    with refused(EndpointError, "replaceable", path=folder.parent, mode=f"{mode:03o}"):
        paths.check_trusted(folder)
    folder.parent.chmod(mode | stat.S_ISVTX)
    paths.check_trusted(folder)  # as in /tmp, where only an owner may rename


@posix
@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_a_folder_on_the_way_that_is_another_user_s_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs" / "private"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    os.chown(folder.parent, 12345, -1)
    with refused(EndpointError, "other-owner", path=folder.parent, owner=12345):
        paths.check_trusted(folder)
