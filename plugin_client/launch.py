"""Starting a daemon in the background, and stopping it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from plugin_client.client import Client
from plugin_client.wire.errors import DaemonNotRunning, EndpointError, NoAnswer, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.paths import (
    HOME_VARIABLE,
    MAX_LOG_BYTES,
    connection_file,
    default_address,
    log_file,
    make_data_folder,
    old_log,
    parse_endpoint,
)

STOP_SECONDS = 30.0  # for a daemon to end; it waits a few seconds for the step that it computes
START_SECONDS = 60.0  # for a daemon to answer its first ping; it loads models later
ANSWER_SECONDS = 2.0  # for a ping; a daemon that is just stopping accepts connections and never answers

started_daemons: list[subprocess.Popen[bytes]] = []  # the daemons of this process, which may outlive it


def model_arguments(names: Iterable[str]) -> list[str]:
    """Return the daemon's arguments that make it offer these models; "" is its default model."""
    return [word for name in names if name for word in ("--model", full_name(name))]


def full_name(model: str) -> str:
    """Return a model's name for a daemon, which runs in another folder: a folder by its full path."""
    path = Path(model).expanduser()
    return str(path.resolve()) if path.is_dir() else model


def connect_or_start(endpoint: str | None, arguments: Sequence[str]) -> Client:
    """Connect to the daemon at `endpoint`, which is started with `arguments` where none runs.

    Raises:
        DaemonNotRunning: nothing listens at a tcp address, or as of start().
        EndpointError, VersionError: as of Client.
    """
    try:
        return Client(endpoint)
    except DaemonNotRunning:
        if not _may_start(parse_endpoint(endpoint)):
            raise
    return start(endpoint, arguments)


def start(endpoint: str | None, arguments: Sequence[str]) -> Client:
    """Start a daemon with `arguments` and connect to it once it answers.

    Raises:
        UsageError: a daemon runs there already.
        DaemonNotRunning: the daemon did not start, and the text has the last line of its log; or it did not answer
            within START_SECONDS.
        EndpointError: the data folder, the log or the endpoint is unusable.
    """
    address = parse_endpoint(endpoint)
    if client := _running(endpoint):
        client.close()
        raise UsageError(N_("a daemon runs at {address} already"), "already-running", address=address)
    log = log_file(address)
    _set_aside(log)
    read_from = log.stat().st_size if log.exists() else 0
    process = _spawn(log, endpoint, arguments)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None  # before looking: another one may have been quicker and be there
        if client := _running(endpoint):
            return client
        if has_ended:
            raise DaemonNotRunning(
                N_("the daemon did not start: {reason}"), "not-started", reason=_last_line(log, read_from)
            )
        time.sleep(0.05)
    process.terminate()
    raise DaemonNotRunning(
        N_("the daemon did not answer within {seconds:g} s: see {log}"), "not-answering", seconds=START_SECONDS, log=log
    )


def stop(endpoint: str | None) -> bool:
    """Stop the daemon; True when it has ended within STOP_SECONDS.

    Raises:
        DaemonNotRunning: no daemon runs.
    """
    with Client(endpoint) as client:
        client.shutdown()
    deadline = time.monotonic() + STOP_SECONDS
    while _listens(endpoint):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def stop_if_started_here(client: Client, endpoint: str | None) -> None:
    """Stop the daemon of `client` if this process started it and it has no other job."""
    pong = client.ping()
    if pong.pid in {process.pid for process in started_daemons} and not pong.running + pong.waiting:
        stop(endpoint)


def _listens(endpoint: str | None) -> bool:
    """Whether a daemon listens, as long as it has a connection file: without one it is a service manager."""
    if not connection_file(parse_endpoint(endpoint)).exists():
        return False
    try:
        Client(endpoint).close()
    except DaemonNotRunning:
        return False
    return True


def _may_start(address: str) -> bool:
    """Whether a daemon at `address` would run on this machine, which a tcp address does not tell."""
    return address.startswith("ipc://") or address == default_address()


def _running(endpoint: str | None) -> Client | None:
    """Connect to the daemon at `endpoint`, if one answers there."""
    try:
        with Client(endpoint, timeout=ANSWER_SECONDS) as client:
            client.ping()
        return Client(endpoint)
    except (DaemonNotRunning, NoAnswer):
        return None


def _spawn(log: Path, endpoint: str | None, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, so that closing the terminal or Ctrl-C does not reach it."""
    folder = make_data_folder()
    where = [] if endpoint is None else ["--endpoint", endpoint]
    with _opened(log) as output:
        # Not in the current folder: `python -m` would import what lies there.
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", *where, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=os.environ | {HOME_VARIABLE: str(folder)},  # which may be relative to our own folder
            start_new_session=True,
        )
    started_daemons.append(process)
    return process


def _opened(log: Path) -> IO[bytes]:
    """Open a log to append to it: another process may have started a daemon at the same time.

    Raises:
        EndpointError: it cannot be written, as on a full disk, where a daemon could not say why it ends.
    """
    with ExitStack() as stack:
        try:
            output = stack.enter_context(log.open("ab", buffering=0))
            output.write(b"\n")
        except OSError as exc:
            raise EndpointError(
                N_("the daemon's log {path} cannot be written: {reason}"), "unwritable", path=log, reason=exc.strerror
            ) from exc
        stack.pop_all()  # it stays open
    return output


def _set_aside(log: Path) -> None:
    """Rename a log that has become long. A daemon that still writes to it goes on there.

    One that runs does this by itself: see daemon.log_file.
    """
    with suppress(FileNotFoundError):  # there is none yet, or another process has just renamed it
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(old_log(log))


def _last_line(log: Path, read_from: int) -> str:
    lines = log.read_bytes()[read_from:].decode("utf-8", "replace").split("\n")
    written = [line.strip() for line in lines if line.strip()]
    return written[-1] if written else _why_silent(log)


def _why_silent(log: Path) -> str:
    """Return the reason why a log holds nothing of a daemon that has ended: mostly that nothing could be written."""
    try:
        with log.open("ab") as file:
            file.write(b"\n")
    except OSError as exc:
        return f"{log} cannot be written ({exc.strerror})"
    return "it ended without a message"
