"""The files that have a system keep the daemon running, checked by the system's own reader where there is one."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from install import service
from install.environment import Environment
from install.service import REMOVE, service_of, systemd_socket, systemd_unit
from install.steps import InstallError
from tests.install.conftest import PROJECT, program


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
@pytest.mark.parametrize("folder", ["plain", "with spaces and 100%"])
def test_systemd_takes_the_unit(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    program(tmp_path / folder, "kandinsky-daemon", "exit 0")
    units = [tmp_path / "kandinsky-blend.service", tmp_path / "kandinsky-blend.socket"]
    for unit, content in zip(units, (systemd_unit, systemd_socket), strict=True):
        unit.write_text(content(tmp_path / folder / "kandinsky-daemon"))
    verified = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "--recursive-errors=no", "verify", *units],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_launchd_is_given_a_property_list() -> None:
    agent = service_of("darwin", Path("/Users/me"), {})
    [(file, made)] = agent.files.items()
    content = plistlib.loads(made(Path("/opt/a & b/kandinsky-daemon")).encode())
    assert content["ProgramArguments"] == ["/opt/a & b/kandinsky-daemon"]
    assert content["KeepAlive"] == {"SuccessfulExit": False}  # `kandinsky-blend stop` stops it for good
    assert file == Path("/Users/me/Library/LaunchAgents/org.kandinsky-blend.plist")


def test_windows_is_given_a_task() -> None:
    task = service_of("win32", Path("/Users/me"), {})
    [made] = task.files.values()
    root = ElementTree.fromstring(made(Path("C:/a & b/kandinsky-daemon.exe")))
    [command] = root.iter("{http://schemas.microsoft.com/windows/2004/02/mit/task}Command")
    assert command.text == "C:/a & b/kandinsky-daemon.exe"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a systemctl that notes what it is told."""
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "systemctl", f'echo "$@" >> "{tmp_path}/told"\n[ ! -e "{tmp_path}/broken" ] || exit 1')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(Environment, "ensure", lambda self: None)
    return tmp_path


def test_it_is_put_in_place_and_taken_away(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    units = home / ".config/systemd/user"
    assert service.run(Environment(PROJECT), []) == 0
    assert "kandinsky-daemon" in (units / "kandinsky-blend.service").read_text()
    assert "daemon.sock" in (units / "kandinsky-blend.socket").read_text()
    assert service.run(Environment(PROJECT), [REMOVE]) == 0
    assert list(units.iterdir()) == []
    assert (home / "told").read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable --now kandinsky-blend.socket",
        "--user disable --now kandinsky-blend.socket kandinsky-blend.service",
    ]
    assert service.run(Environment(PROJECT), [REMOVE]) == 0
    assert capsys.readouterr().out.endswith("There is no such service here.\n")


def test_a_system_that_does_not_do_it_is_named(home: Path) -> None:
    (home / "broken").touch()
    with pytest.raises(InstallError, match="systemctl --user daemon-reload failed"):
        service.run(Environment(PROJECT), [])
    with pytest.raises(InstallError, match="--remove or nothing"):
        service.run(Environment(PROJECT), ["--now"])
