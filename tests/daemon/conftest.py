"""Real daemons with a fake engine, and a client of a few lines that sees every message."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import pytest
import zmq

from daemon.jobs import JobRecord
from plugin_client.wire import codec, paths
from plugin_client.wire.messages import (
    Accepted,
    Blend,
    ClientMessage,
    DaemonMessage,
    Failed,
    Ping,
    Progress,
    Result,
    Submit,
    TextItem,
)

M = TypeVar("M")
T = TypeVar("T")
PROJECT = Path(__file__).parents[2]
PATIENCE = 30.0  # s: long enough for a loaded machine; nothing here takes that long unless it is broken


def blend(text: str = "quick", **settings: Any) -> Blend:
    """A blend that makes the fake engine do what `text` says."""
    return Blend(**{"items": (TextItem(text, 1.0),), "width": 16, "height": 16, **settings})


def job_record(job: str, client: str = "", **facts: Any) -> JobRecord:
    """The record of a job of no size."""
    usual = {"picture_bytes": 0, "result_bytes": 0, "accepted": 0.0, "digest": "d1", "owner": ""}
    return JobRecord(**{"id": job, "title": "a cat", "model": "", "client": client, **usual, **facts})


def new_id() -> str:
    return str(uuid.uuid4())


def wait_until(look: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """The first thing that `look` finds."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {patience} s in vain until {what}"
        time.sleep(0.01)
    return found


def is_alive(pid: int) -> bool:
    """True while the process runs; one that has ended and is not yet collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before the file is opened, or while it is read
        return False


def children(pid: int) -> list[int]:
    """The processes that any thread of this one has started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for thread in threads for child in thread.read_text().split()]


class RawClient:
    """A DEALER socket that sends messages and keeps the order of all that comes back."""

    def __init__(self, address: str, **options: Any) -> None:
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(address)
        self._id = 0
        self._kept: deque[tuple[int, DaemonMessage]] = deque()  # what came while the answer to another was awaited

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.socket.close()

    def send(self, message: ClientMessage) -> int:
        """Send; the request id."""
        self._id += 1
        self.socket.send_multipart(codec.encode(message, self._id))
        return self._id

    def receive(self, seconds: float = PATIENCE) -> tuple[int, DaemonMessage]:
        return self._kept.popleft() if self._kept else self._receive(seconds)

    def _receive(self, seconds: float = PATIENCE) -> tuple[int, DaemonMessage]:
        assert self.socket.poll(seconds * 1000), f"no answer within {seconds} s"
        return codec.decode_daemon(self.socket.recv_multipart())

    def hears_nothing(self, seconds: float) -> bool:
        return not self._kept and not self.socket.poll(seconds * 1000)

    def ask(self, message: ClientMessage, answer: type[M]) -> M:
        """The answer to a message; what arrives for others meanwhile is kept for receive()."""
        asked = self.send(message)
        while True:
            request_id, received = self._receive()
            if request_id == asked:
                assert isinstance(received, answer), received
                return received
            self._kept.append((request_id, received))

    def submit(self, wanted: Blend, job: str | None = None) -> str:
        """Submit a job and see it accepted; its id."""
        return self.ask(Submit(job or new_id(), wanted), Accepted).job

    def outcome(self, job: str) -> Result | Failed:
        """The end of a job that this client submitted or watches."""
        return self.outcomes(job)[job]

    def outcomes(self, *jobs: str) -> dict[str, Result | Failed]:
        """The ends of several jobs, in the order in which they came."""
        ends: dict[str, Result | Failed] = {}
        while not ends.keys() >= set(jobs):
            message = self.receive()[1]
            if isinstance(message, Result | Failed):
                ends[message.job] = message
        return ends

    def wait_for_progress(self, job: str) -> Progress:
        while True:
            message = self.receive()[1]
            if isinstance(message, Progress) and message.job == job:
                return message

    def run(self, wanted: Blend) -> Result | Failed:
        return self.outcome(self.submit(wanted))


class RunningDaemon:
    """A daemon process and its log."""

    def __init__(self, home: Path, arguments: Sequence[str], module: str = "daemon") -> None:
        self.log_file = home / f"log-{new_id()[:8]}"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stderr=log,
                env=os.environ | {paths.HOME_VARIABLE: str(home), "PYTHONPATH": str(PROJECT)},
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def worker(self) -> int:
        """The process id of the worker that runs now."""
        return wait_until(lambda: children(self.process.pid), "a worker runs")[0]

    def wait(self) -> int:
        """The exit code, once it has ended."""
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """A clean end, whatever the test did."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise


class Daemons:
    """Starts daemons in one private home, and ends them with the test."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._started: list[RunningDaemon] = []

    @property
    def default_address(self) -> str:
        return f"ipc://{self.home / 'daemon.sock'}"

    def launch(self, *arguments: str, engine: str = "FakeEngine") -> RunningDaemon:
        """Start a daemon and return at once."""
        daemon = RunningDaemon(self.home, [f"--engine=tests.daemon.fake_engine:{engine}", *arguments])
        self._started.append(daemon)
        return daemon

    def launch_module(self, module: str, *arguments: str) -> RunningDaemon:
        """Start another program than kandinsky-daemon, which takes `arguments` before the daemon's own."""
        daemon = RunningDaemon(self.home, [*arguments, "--engine=tests.daemon.fake_engine:FakeEngine"], module)
        self._started.append(daemon)
        return daemon

    def start(self, *arguments: str, engine: str = "FakeEngine", patience: float = PATIENCE) -> RunningDaemon:
        """Start a daemon at the default address and wait until it answers, for `patience` seconds at most."""
        daemon = self.launch(*arguments, engine=engine)
        with self.client() as client:
            client.send(Ping())
            client.receive(patience)
        return daemon

    def client(self, **options: Any) -> RawClient:
        return RawClient(self.default_address, **options)

    def left(self) -> set[str]:
        """Names of the files in the home but those that are meant to stay: the lock, the jobs, the logs of the test."""
        return {
            path.name
            for path in self.home.iterdir()
            if path.suffix not in (".lock", ".jobs") and not path.name.startswith("log-")
        }

    def end_all(self) -> None:
        for daemon in self._started:
            daemon.end()


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A private data folder, which is also this process's."""
    home = tmp_path_factory.mktemp("d")  # a short name: a socket's path has little room
    monkeypatch.setenv(paths.HOME_VARIABLE, str(home))
    return home


@pytest.fixture
def daemons(home: Path) -> Iterator[Daemons]:
    daemons = Daemons(home)
    yield daemons
    daemons.end_all()


@pytest.fixture(scope="module")
def shared_daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    """One daemon for all tests of a file that leave it as they found it: idle."""
    daemons = Daemons(tmp_path_factory.mktemp("s"))
    daemons.start()
    yield daemons
    daemons.end_all()


@pytest.fixture
def client(shared_daemons: Daemons) -> Iterator[RawClient]:
    with shared_daemons.client() as client:
        yield client
