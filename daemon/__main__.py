"""kandinsky-daemon: its arguments, the order of its start, and its end."""

from __future__ import annotations

import argparse
import logging
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import NoReturn

import zmq

from daemon import keys, logs
from daemon.disk_store import DiskStore
from daemon.errors import DaemonError
from daemon.executors.base import Executor
from daemon.executors.local import LocalExecutor
from daemon.library import Library
from daemon.listen import listen
from daemon.log_file import kept_short
from daemon.metrics import served
from daemon.server import STOP_SECONDS, Server
from daemon.store import LIMITS, MemoryStore, Store
from plugin_client.wire import paths
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.limits import MAX_MODELS, MAX_NAME_CHARS
from plugin_client.wire.lock import DaemonLock
from plugin_client.wire.messages import DEFAULT_MODEL

log = logging.getLogger("daemon")  # this module is called __main__

NO_STATE = "none"
MAX_WORKERS = 64  # of a node
ENGINE = "daemon.engine:Engine"
_CLUSTER = "this daemon draws on several machines: each of them fetches a model when that is first used"
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["keys"]:
            keys.main(given[1:])
            return 0
        options = _parse(given)
        logs.configure(options.log_level, options.log_format)
        run(options, _StopSignals())
    except (KandinskyError, DaemonError) as exc:
        print(f"kandinsky-daemon: {exc}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace, signals: _StopSignals) -> None:
    """Serve until one of `signals` or a client asks for the end.

    Raises:
        EndpointError: the endpoint or the data folder is unusable, or another daemon has it.
        DaemonError: the socket cannot be bound, or a model cannot be used.
        StoreError: jobs cannot be kept, or those of an earlier daemon not be read.
    """
    address = paths.parse_endpoint(options.endpoint)
    if options.engine == ENGINE:
        _check_models(options.model)
    with (
        DaemonLock(address),
        kept_short(paths.log_file(address)),
        open_store(options.state, address) as store,
        served(options.metrics) as metrics,
        zmq.Context() as context,
        listen(context, address, keys.ClientKeys()) as (router, reached_at),
    ):
        executor = _executor(options)
        library = Library(options.model, _CLUSTER if options.ray else "")
        server = Server(router, executor, store, options.model, metrics, library)
        signals.stop(server)
        version, models = metadata.version("kandinsky-blend"), ", ".join(options.model)
        log.info("kandinsky-daemon %s listens at %s and offers %s", version, reached_at.address, models)
        try:
            server.serve()
        finally:
            executor.stop()
    log.info("kandinsky-daemon has ended")


@contextmanager
def open_store(state: str | None, address: str) -> Iterator[Store]:
    """The store that `--state` asks for.

    Raises:
        EndpointError: others may enter its folder.
        StoreError: it cannot be used.
    """
    if state == NO_STATE:
        yield MemoryStore()
        return
    with DiskStore(Path(state).expanduser().absolute() if state else paths.state_folder(address)) as store:
        yield store


def _executor(options: argparse.Namespace) -> Executor:
    """What runs the jobs: a process of this machine, or the machines of a Ray cluster. Raises: DaemonError."""
    arguments = _worker_arguments(options)
    if options.ray is None:
        return LocalExecutor(arguments)
    try:
        from daemon.executors.ray import RayExecutor  # an optional extra, which takes a second to import
    except ModuleNotFoundError as exc:
        raise DaemonError("--ray needs Ray, which is not installed: run pip install 'kandinsky-blend[ray]'") from exc
    return RayExecutor(options.ray, arguments, options.workers_per_node, options.memory_per_worker)


def _check_models(names: Sequence[str]) -> None:
    """Refuse models that cannot be used, as far as a cheap look tells, while somebody waits for the start."""
    # Here, since other engines have models of their own.
    from kandinsky_backend.errors import CheckpointError
    from kandinsky_backend.preflight import check_model

    for name in names:
        try:
            check_model(name)
        except CheckpointError as exc:
            raise DaemonError(f"the model {name} cannot be used: {exc}") from exc


# --- arguments ---------------------------------------------------------------------------------------------------


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = build_parser()
    options = parser.parse_args(arguments)
    options.model = list(dict.fromkeys(options.model or [DEFAULT_MODEL]))
    if len(options.model) > MAX_MODELS:
        parser.error(f"{len(options.model)} models: a daemon offers at most {MAX_MODELS}")
    return options


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of kandinsky-daemon's arguments."""
    parser = _Parser(
        prog="kandinsky-daemon",
        description="Keeps Kandinsky 2.1 ready and blends for the editor, the kandinsky-blend command and scripts. "
        "Jobs run one after another, or on a cluster several at a time; clients that ask for several take turns. "
        f"A result is kept until it is released, for {LIMITS.age / 3600:.0f} hours at most; beyond {LIMITS.results} "
        f"results or {LIMITS.result_bytes / 2**30:.0f} GiB of pictures the oldest go first.",
        epilog="kandinsky-daemon keys --help tells of the keys of other people's clients. "
        "Stop it with Ctrl-C or SIGTERM, or close its terminal: jobs that run or wait go on when it is started "
        f"again; with --state {NO_STATE} they end within {STOP_SECONDS:g} s. A second signal ends it at once. "
        f"Set {paths.HOME_VARIABLE} to keep its socket, lock and connection file in another folder.",
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
        help="in which numbers; auto takes bfloat16 on a processor that has it (AMX or AVX512_BF16), float16 on "
        "Ascend, and else float32, which is exact and takes twice the memory. Jobs fail, and say why, where the device "
        "does not compute in what is asked for (default: %(default)s)",
    )
    parser.add_argument(
        "--endpoint",
        metavar="ADDRESS",
        help="where to listen: ipc:///private/folder/name.sock, or tcp://host:port with encryption, whose keys are "
        "in a file that only you can read; port 0 takes a free one "
        f"(default: {paths.default_address()})",
    )
    parser.add_argument(
        "--memory",
        type=_size,
        metavar="SIZE",
        help="how much memory loaded models may take, e.g. 8GB; the parts used least are let go "
        "(default: a share of the machine's)",
    )
    parser.add_argument(
        "--ray",
        metavar="auto|HOST:PORT",
        help="run jobs on the machines of this Ray cluster; auto is the one that this machine belongs to. Several "
        "jobs then run at a time, and the pictures of one job are made side by side. Needs the extra "
        "kandinsky-blend[ray]",
    )
    parser.add_argument(
        "--workers-per-node",
        type=_number,
        metavar="N",
        help="of a cluster: how many models each machine runs, which share its processors and accelerators "
        "(default: one for each accelerator, or one)",
    )
    parser.add_argument(
        "--memory-per-worker",
        type=_size,
        metavar="SIZE",
        help="of a cluster: how much memory Ray holds for each worker, so that a machine gets no more of them than it "
        "has room for (default: it is not counted)",
    )
    parser.add_argument(
        "--state",
        metavar=f"FOLDER|{NO_STATE}",
        help="where jobs are kept, their prompts and pictures included, so that none is lost when the daemon or the "
        f"machine stops; {NO_STATE} keeps them in memory alone, and they end with the daemon "
        f"(default: {paths.state_folder(paths.default_address())})",
    )
    parser.add_argument("--log-level", choices=logs.LEVELS, default="info", help="(default: %(default)s)")
    parser.add_argument(
        "--log-format",
        choices=logs.FORMATS,
        default="text",
        help="lines for people, or a JSON map in each (default: %(default)s)",
    )
    parser.add_argument(
        "--metrics",
        type=_port,
        metavar="PORT",
        help="serve counters and timings for Prometheus at this port of 127.0.0.1, which needs the package "
        "prometheus_client (default: none)",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {metadata.version('kandinsky-blend')}")
    # Not for users: tests play slow, crashing and greedy models with it.
    parser.add_argument("--engine", default=ENGINE, help=argparse.SUPPRESS)
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one sentence, like all others, without the whole usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _model_name(text: str) -> str:
    if not 0 < len(text) <= MAX_NAME_CHARS:
        raise argparse.ArgumentTypeError(f"a name of {len(text)} characters: must have 1 to {MAX_NAME_CHARS}")
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise argparse.ArgumentTypeError(f"{text!a} is no valid text: rename the folder in letters of UTF-8") from exc
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535")
    return int(text)


def _size(text: str) -> int:
    """Bytes, from "8GB" or "500 MiB". A bare number is refused: of what, bytes or GB, is anybody's guess."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]*)", text.strip(), re.IGNORECASE)
    if not match or match[2].upper() not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write for example 8GB or 500MB")
    if not (size := int(float(match[1]) * _UNITS[match[2].upper()])):
        raise argparse.ArgumentTypeError(f"{text!r} is nothing: models need memory")
    return size


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MAX_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers: must be 1 to {MAX_WORKERS}")
    return int(text)


def _worker_arguments(options: argparse.Namespace) -> list[str]:
    return [
        f"--engine={options.engine}",
        *(f"--model={name}" for name in options.model),
        f"--device={options.device}",
        f"--precision={options.precision}",
        *([f"--memory={options.memory}"] if options.memory else []),
        f"--log-level={options.log_level}",
        f"--log-format={options.log_format}",
    ]


def _stop_signals() -> list[signal.Signals]:
    """Return the signals that stop a daemon: that of a terminal that is closed too, unless `nohup` keeps it away."""
    signals = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    return signals


class _StopSignals:
    """From now on the first signal stops in good order; the second has its usual effect, and ends the process at once.

    It raises nothing, so that it cannot come between the making of a thing and the place that takes it away again.
    """

    def __init__(self) -> None:
        self._server: Server | None = None
        self._has_come = False
        self._signals = _stop_signals()
        for number in self._signals:
            signal.signal(number, self._note)

    def stop(self, server: Server) -> None:
        """Stop this one when the signal comes, or now if it came while the daemon started."""
        self._server = server
        if self._has_come:
            server.stop()

    def _note(self, number: int, frame: FrameType | None) -> None:
        for again in self._signals:
            signal.signal(again, signal.SIG_DFL)
        self._has_come = True
        if self._server:
            self._server.stop()


if __name__ == "__main__":
    sys.exit(main())
