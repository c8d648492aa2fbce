"""kandinsky-daemon: arguments, lock, socket, log, and a clean end."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import NoReturn

import zmq
from zmq.auth.thread import ThreadAuthenticator

from daemon import logs
from daemon.errors import DaemonError
from daemon.executor import CHANNEL_SUFFIX, LocalExecutor
from daemon.server import STOP_SECONDS, Server, open_router
from daemon.store import MAX_AGE, MAX_OUTCOME_BYTES, MAX_OUTCOMES, MemoryStore
from plugin_client.wire import endpoint
from plugin_client.wire.endpoint import Endpoint, Lock
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.limits import MAX_MODELS, MAX_NAME_CHARS

log = logging.getLogger("daemon")  # this module is called __main__

DEFAULT_MODEL = "embedded"
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    logs.configure(options.log_level)
    try:
        run(options, _StopSignals())
    except (KandinskyError, DaemonError) as exc:
        print(f"kandinsky-daemon: {exc}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, signals: _StopSignals) -> None:
    """Serve until one of `signals` or a client asks for the end.

    Raises:
        EndpointError: the endpoint or the data folder is unusable, or another daemon has it.
        DaemonError: the socket cannot be bound.
    """
    address = endpoint.parse_endpoint(options.endpoint)
    with Lock(address), zmq.Context() as context:
        base = endpoint.connection_file(address).with_suffix("")
        _remove_leftovers(address, base)
        executor = LocalExecutor(context, base, _worker_arguments(options))
        with _listen(context, address) as (router, reached_at):
            server = Server(router, executor, MemoryStore(), options.model)
            signals.stop(server)
            version, models = metadata.version("kandinsky-blend"), ", ".join(options.model)
            log.info("kandinsky-daemon %s listens at %s and offers %s", version, reached_at.address, models)
            try:
                server.serve()
            finally:
                executor.stop()
    log.info("kandinsky-daemon has ended")


# --- arguments ---------------------------------------------------------------------------------------------------


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    options.model = list(dict.fromkeys(options.model or [DEFAULT_MODEL]))
    if len(options.model) > MAX_MODELS:
        parser.error(f"{len(options.model)} models: a daemon offers at most {MAX_MODELS}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kandinsky-daemon",
        description="Keeps Kandinsky 2.1 ready and blends for the editor, the kandinsky-blend command and scripts. "
        "Jobs run one after another, in the order of their arrival. "
        f"A result is kept until it is released, for {MAX_AGE / 3600:.0f} hours at most; beyond {MAX_OUTCOMES} results "
        f"or {MAX_OUTCOME_BYTES / 2**30:.0f} GiB of pictures the oldest go first.",
        epilog="Stop it with Ctrl-C or SIGTERM: the running job is cancelled after its current step, "
        f"within {STOP_SECONDS:g} s. A second signal ends it at once. "
        f"Set {endpoint.HOME_VARIABLE} to keep its socket, lock and connection file in another folder.",
    )
    parser.add_argument(
        "--model",
        action="append",
        type=_model_name,
        metavar="NAME|FOLDER|HUBID",
        help="a model to offer: kandinsky-2-1 is the full one, which is downloaded when it is first used (13 GB); a "
        "folder that holds prior/ and decoder/; or the hub id of a decoder. Repeat it to offer several; the first is "
        f"the default. Without it: {DEFAULT_MODEL}, which ships with the program, is small and draws coloured shapes",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "ascend"),
        default="auto",
        help="what computes; auto takes an Ascend NPU if MindSpore finds one (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "float16", "bfloat16"),
        default="auto",
        help="in which numbers; auto takes what is fast on the device. float32 is exact and takes twice the memory "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--endpoint",
        metavar="ADDRESS",
        help="where to listen: ipc:///private/folder/name.sock, or tcp://host:port with encryption, whose keys are "
        "in a file that only you can read; port 0 takes a free one "
        f"(default: {endpoint.default_address()})",
    )
    parser.add_argument(
        "--memory",
        type=_size,
        metavar="SIZE",
        help="how much memory loaded models may take, e.g. 8GB; the parts used least are let go "
        "(default: a share of the machine's)",
    )
    parser.add_argument("--log-level", choices=logs.LEVELS, default="info", help="(default: %(default)s)")
    parser.add_argument("--version", action="version", version=f"%(prog)s {metadata.version('kandinsky-blend')}")
    # Not for users: tests play slow, crashing and greedy models with it.
    parser.add_argument("--engine", default="daemon.engine:Engine", help=argparse.SUPPRESS)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, like all others, without the whole usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _model_name(text: str) -> str:
    if not 0 < len(text) <= MAX_NAME_CHARS:
        raise argparse.ArgumentTypeError(f"a name of {len(text)} characters: must have 1 to {MAX_NAME_CHARS}")
    return text


def _size(text: str) -> int:
    """Bytes, from "8GB" or "500 MiB". A bare number is refused: of what, bytes or GB, is anybody's guess."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]*)", text.strip(), re.IGNORECASE)
    if not match or match[2].upper() not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write for example 8GB or 500MB")
    if not (size := int(float(match[1]) * _UNITS[match[2].upper()])):
        raise argparse.ArgumentTypeError(f"{text!r} is nothing: models need memory")
    return size


def _worker_arguments(options: argparse.Namespace) -> list[str]:
    return [
        f"--engine={options.engine}",
        *(f"--model={name}" for name in options.model),
        f"--device={options.device}",
        f"--precision={options.precision}",
        *([f"--memory={options.memory}"] if options.memory else []),
        f"--log-level={options.log_level}",
    ]


# --- socket ------------------------------------------------------------------------------------------------------


@contextmanager
def _listen(context: zmq.Context[zmq.Socket[bytes]], address: str) -> Iterator[tuple[zmq.Socket[bytes], Endpoint]]:
    """A bound ROUTER socket and where it is reached, which the connection file tells as long as it is open."""
    router = open_router(context)
    try:
        with _listen_privately(context, router, address) as reached_at:
            endpoint.write_connection(address, reached_at)
            try:
                yield router, reached_at
            finally:
                endpoint.remove_connection(address)
    finally:
        router.close()


@contextmanager
def _listen_privately(
    context: zmq.Context[zmq.Socket[bytes]], router: zmq.Socket[bytes], address: str
) -> Iterator[Endpoint]:
    """Bind so that this user's clients alone can come in: by the folder's mode, or over TCP by their key."""
    if address.startswith("ipc://"):
        path = Path(address.removeprefix("ipc://"))
        _check_free(path)
        try:
            yield Endpoint(_bind(router, address), os.getpid())
        finally:
            path.unlink(missing_ok=True)
        return
    (server_public, server_secret), (client_public, client_secret) = endpoint.new_keys()
    router.ipv6 = "[" in address
    router.curve_server = True
    router.curve_secretkey = server_secret.encode()
    with _admit(context, client_public.encode()):
        yield Endpoint(_bind(router, address), os.getpid(), server_public, client_public, client_secret)


@contextmanager
def _admit(context: zmq.Context[zmq.Socket[bytes]], public_key: bytes) -> Iterator[None]:
    """While this lasts, CURVE sockets of the context admit clients that prove that they have the key, and no others."""
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    try:
        authenticator.configure_curve_callback(credentials_provider=_OneKey(public_key))
        yield
    finally:
        authenticator.stop()


class _OneKey:
    """Knows the one client key; pyzmq's authenticator asks it."""

    def __init__(self, public_key: bytes) -> None:
        self._public_key = public_key

    def callback(self, domain: str, key: bytes) -> bool:
        return key == self._public_key


def _bind(router: zmq.Socket[bytes], address: str) -> str:
    """Bind; the address with the real port. Raises: DaemonError."""
    try:
        router.bind(address)
    except zmq.ZMQError as exc:
        reason = zmq.strerror(exc.errno or 0)
        raise DaemonError(f"cannot listen at {address}: {reason}; choose another --endpoint") from exc
    return router.getsockopt_string(zmq.LAST_ENDPOINT)


def _check_free(path: Path) -> None:
    """Refuse a path that libzmq would take from its owner without a word. Raises: DaemonError."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise DaemonError(f"{path} is a file, not a socket: choose another --endpoint")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise DaemonError(f"another program listens at {path}: choose another --endpoint")


def _remove_leftovers(address: str, base: Path) -> None:
    """Remove what a killed daemon of this address left. The lock is held, so none of it is in use."""
    endpoint.remove_connection(address)
    for channel in base.parent.glob(f"{base.name}{CHANNEL_SUFFIX}*"):
        channel.unlink(missing_ok=True)


class _StopSignals:
    """From now on the first signal stops in good order; the second has its usual effect, and ends the process at once.

    It raises nothing, so that it cannot come between the making of a thing and the place that takes it away again.
    """

    def __init__(self) -> None:
        self._server: Server | None = None
        self._has_come = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def stop(self, server: Server) -> None:
        """Stop this one when the signal comes, or now if it came while the daemon started."""
        self._server = server
        if self._has_come:
            server.stop()

    def _note(self, number: int, frame: FrameType | None) -> None:
        for again in (signal.SIGINT, signal.SIGTERM):
            signal.signal(again, signal.SIG_DFL)
        self._has_come = True
        if self._server:
            self._server.stop()


if __name__ == "__main__":
    sys.exit(main())
