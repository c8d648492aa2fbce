"""Starts a daemon in the background where none runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from plugin_client.client import Client
from plugin_client.wire.endpoint import (
    HOME_VARIABLE,
    connection_file,
    default_address,
    make_data_folder,
    parse_endpoint,
)
from plugin_client.wire.errors import DaemonNotRunning, NoAnswer, UsageError

DEFAULT_MODEL = "embedded"  # what a daemon offers that was given none; the daemon's own constant, which see
STOP_SECONDS = 30.0  # for a daemon to end; it gives the step that it computes a few
START_SECONDS = 60.0  # for a daemon to answer its first ping; it loads its models later
MAX_LOG_BYTES = 4 * 2**20  # of a log that the next daemon appends to; a longer one is set aside first
ANSWER_SECONDS = 2.0  # for a ping of a daemon that accepts connections; one that is just stopping never answers

_started: list[subprocess.Popen[bytes]] = []  # daemons that outlive us, or that Python must collect when they end


def log_file(address: str) -> Path:
    """Where a daemon that was started here writes its log."""
    return connection_file(address).with_suffix(".log")


def model_arguments(names: Iterable[str]) -> list[str]:
    """The daemon's arguments that offer these models; "" is its default. Folders are told by their full path."""
    return [word for name in names if name for word in ("--model", full_name(name))]


def full_name(model: str) -> str:
    """A model's name as the daemon has it, which runs in another folder."""
    path = Path(model).expanduser()
    return str(path.resolve()) if path.is_dir() else model


def connect_or_start(endpoint: str | None, arguments: Sequence[str]) -> Client:
    """A client of the daemon at `endpoint`, which is started with `arguments` when none runs there.

    Raises:
        DaemonNotRunning: nothing listens at a tcp address, or the daemon did not start; the text has its last words.
    """
    try:
        return Client(endpoint)
    except DaemonNotRunning:
        if not _may_start(parse_endpoint(endpoint)):
            raise
    return start(endpoint, arguments)


def start(endpoint: str | None, arguments: Sequence[str]) -> Client:
    """Start a daemon with `arguments`, and a client of it once it answers.

    Raises:
        UsageError: a daemon runs there already.
        DaemonNotRunning: it did not start; the text has the last line of its log.
    """
    address = parse_endpoint(endpoint)
    if client := _running(endpoint):
        client.close()
        raise UsageError(f"a daemon runs at {address} already")
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
            raise DaemonNotRunning(f"the daemon did not start: {_last_line(log, read_from)}")
        time.sleep(0.05)
    process.terminate()
    raise DaemonNotRunning(f"the daemon did not answer within {START_SECONDS:g} s: see {log}")


def stop(endpoint: str | None) -> bool:
    """Ask the daemon to end, and wait for that; whether it has ended within STOP_SECONDS.

    Raises:
        DaemonNotRunning: none runs.
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
    """Stop the daemon of `client` if this process has started it and nobody else has a job there."""
    pong = client.ping()
    if pong.pid in {process.pid for process in _started} and not pong.running + pong.waiting:
        stop(endpoint)


def _listens(endpoint: str | None) -> bool:
    try:
        Client(endpoint).close()
    except DaemonNotRunning:
        return False
    return True


def _may_start(address: str) -> bool:
    """A tcp address may be another machine's; a socket path and the default are here."""
    return address.startswith("ipc://") or address == default_address()


def _running(endpoint: str | None) -> Client | None:
    """A client of the daemon that answers at `endpoint`, if one does."""
    try:
        with Client(endpoint, timeout=ANSWER_SECONDS) as client:
            client.ping()
        return Client(endpoint)
    except (DaemonNotRunning, NoAnswer):
        return None


def _spawn(log: Path, endpoint: str | None, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """A daemon of its own session, so that closing the terminal or Ctrl-C does not reach it."""
    folder = make_data_folder()
    where = [] if endpoint is None else ["--endpoint", endpoint]
    with log.open("ab") as output:  # appended to: the daemon that runs may be of somebody who was quicker
        # Not in the current folder: `python -m` would import what lies there.
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", *where, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=os.environ | {HOME_VARIABLE: str(folder)},  # which may have been told relative to our own folder
            start_new_session=True,
        )
    _started.append(process)
    return process


def _set_aside(log: Path) -> None:
    """Keep a long log as the one older log, instead of the one before. A daemon that still writes to it goes on there.

    Only a start does so: the daemon writes to its standard error, where its worker and a crash leave words too.
    """
    with suppress(FileNotFoundError):  # there is none yet, or somebody who starts one too was quicker
        if log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))


def _last_line(log: Path, read_from: int) -> str:
    lines = log.read_bytes()[read_from:].decode("utf-8", "replace").split("\n")
    written = [line.strip() for line in lines if line.strip()]
    return written[-1] if written else "it ended without a word"
