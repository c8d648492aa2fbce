"""`python3 install service`: has the system keep the daemon running while you are logged in; --remove ends that."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence
from xml.sax.saxutils import escape

from install.environment import Environment
from install.steps import InstallError

NAME = "kandinsky-blend"
REMOVE = "--remove"
WATCHDOG_SECONDS = 60  # without a word from the daemon, after which systemd starts it again


@dataclass(frozen=True)
class Service:
    """Files that tell a system to keep the daemon running, and the commands that have it read the files.

    Attributes:
        files: the content of each, from the path of kandinsky-daemon.
        begin: start the daemon, now and at each login.
        end: stop it, and start it no more.
    """

    files: Mapping[Path, Callable[[Path], str]]
    begin: Sequence[Sequence[str]]
    end: Sequence[Sequence[str]]


def run(environment: Environment, arguments: Sequence[str]) -> int:
    """Have the daemon kept running, or with --remove no more."""
    if list(arguments) not in ([], [REMOVE]):
        raise InstallError(f"service takes {REMOVE} or nothing, and was given {' '.join(arguments)}.")
    service = service_of(sys.platform, Path.home(), os.environ)
    if arguments:
        return _remove(service)
    environment.ensure()
    for file, content in service.files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content(environment.script("kandinsky-daemon")), encoding="utf-8")
        print(f"{file} is in place.")
    _run_all(service.begin)
    print("The daemon is there from now on, whenever you are logged in. kandinsky-blend status shows it.")
    return 0


def service_of(platform: str, home: Path, variables: Mapping[str, str]) -> Service:
    """Return what this kind of system (sys.platform) needs."""
    if platform == "win32":
        return _windows_task(home)
    if platform == "darwin":
        return _launchd_agent(home)
    configuration = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    folder, units = configuration / "systemd/user", [f"{NAME}.socket", f"{NAME}.service"]
    return Service(
        {folder / units[0]: systemd_socket, folder / units[1]: systemd_unit},
        (["systemctl", "--user", "daemon-reload"], ["systemctl", "--user", "enable", "--now", units[0]]),
        (["systemctl", "--user", "disable", "--now", *units],),
    )


def systemd_socket(program: Path) -> str:
    """Return the unit of the daemon's socket, at which systemd listens until a client comes and starts the daemon."""
    return """\
[Unit]
Description=Where the clients of Kandinsky Blend connect

[Socket]
ListenStream=%h/.local/share/kandinsky-blend/daemon.sock
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
"""


def systemd_unit(program: Path) -> str:
    """Return the unit of a service that says when it is ready and, while it lives, that it does."""
    quoted = str(program).replace("%", "%%")
    return f"""\
[Unit]
Description=Kandinsky Blend keeps its models ready and blends

[Service]
Type=notify
ExecStart="{quoted}"
WatchdogSec={WATCHDOG_SECONDS}
Restart=on-failure
RestartSec=5
"""


def _launchd_agent(home: Path) -> Service:
    label = f"org.{NAME}"
    file = home / "Library/LaunchAgents" / f"{label}.plist"
    log = str(home / "Library/Logs" / f"{NAME}.log")

    def content(program: Path) -> str:
        agent = {
            "Label": label,
            "ProgramArguments": [str(program)],
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "StandardErrorPath": log,
        }
        return plistlib.dumps(agent).decode()

    return Service(
        {file: content}, (["launchctl", "load", "-w", str(file)],), (["launchctl", "unload", "-w", str(file)],)
    )


def _windows_task(home: Path) -> Service:
    file = home / "AppData/Local" / NAME / "task.xml"
    named = ["/TN", "Kandinsky Blend"]
    return Service(
        {file: windows_task},
        (["schtasks", "/Create", "/F", *named, "/XML", str(file)], ["schtasks", "/Run", *named]),
        (["schtasks", "/End", *named], ["schtasks", "/Delete", "/F", *named]),
    )


def windows_task(program: Path) -> str:
    """Return the task that starts the daemon at login, and again when it fails."""
    return f"""\
<?xml version="1.0"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <RestartOnFailure><Interval>PT1M</Interval><Count>3</Count></RestartOnFailure>
  </Settings>
  <Actions><Exec><Command>{escape(str(program))}</Command></Exec></Actions>
</Task>
"""


def _remove(service: Service) -> int:
    found = [file for file in service.files if file.exists()]
    if not found:
        print("There is no such service here.")
        return 0
    _run_all(service.end)
    for file in found:
        file.unlink()
        print(f"{file} is gone.")
    print("The daemon is not kept running any more.")
    return 0


def _run_all(commands: Sequence[Sequence[str]]) -> None:
    """Raises: InstallError: the system does not do it, and why."""
    for command in commands:
        try:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as exc:
            raise InstallError(
                f"{command[0]} cannot be run ({exc.strerror}): this system has no such service."
            ) from exc
        if ended.returncode:
            raise InstallError(f"{' '.join(command)} failed: {(ended.stderr or ended.stdout).strip()}")
