"""The child process that owns the model: `python -m daemon.worker`, started by executor.LocalExecutor.

It runs one job at a time and looks for a Cancel between the engine's events. If the model cannot be loaded it stays,
fails each job with the reason, and tries again at the next: the files may have come meanwhile.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import zmq

from daemon.errors import JobError
from daemon.executor import CHANNEL_ID
from daemon.jobs import clip_note
from daemon.logs import configure
from plugin_client.wire import codec
from plugin_client.wire.messages import (
    Blend,
    Cancel,
    ClientMessage,
    DaemonMessage,
    Failed,
    ModelInfo,
    ModelList,
    Pong,
    Progress,
    Result,
    Submit,
)

log = logging.getLogger("daemon.worker")  # this module is called __main__

PARENT_DIED = 1  # exit code


class Engine(Protocol):
    """What turns a blend into pictures. Made with (models, device, precision, memory)."""

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str: ...

    def models(self) -> tuple[ModelInfo, ...]: ...

    def run(self, job: str, blend: Blend) -> Generator[Progress | Result, None, None]:
        """Progress after each step, the Result last. Closing it gives the job up.

        Raises:
            JobError: the job cannot be done, and why.
        """


class Worker:
    """Runs the jobs that come over a channel on the engine that `build` makes."""

    def __init__(self, channel: zmq.Socket[bytes], build: Callable[[], Engine]) -> None:
        self._channel = channel
        self._build = build
        self._built: Engine | None = None

    def serve(self) -> None:
        """Run jobs for ever; the process ends when its parent does."""
        self._prepare()
        while True:
            message = self._receive()
            if isinstance(message, Submit):
                self._run(message.job, message.blend)
            # A Cancel here came too late: its job has ended.

    def _prepare(self) -> None:
        """Build the engine before the first job asks for it. If that fails, each job is told why."""
        if failure := _attempt(self._engine):
            log.warning("no job can be done: %s", failure)

    def _run(self, job: str, blend: Blend) -> None:
        """Send all events of one job. Whatever happens, the last is a Result or a Failed."""
        if failure := _attempt(lambda: self._forward(job, blend)):
            self._send(Failed(job, failure.code, clip_note(str(failure))))

    def _forward(self, job: str, blend: Blend) -> None:
        stage = None
        with closing(self._engine().run(job, blend)) as events:
            for event in events:
                if isinstance(event, Result):
                    self._finish(event)
                    return
                self._send(event)
                if event.stage != stage:
                    stage = event.stage
                    self._report()
                self._check_cancel(job)
        raise RuntimeError("the engine ended without a result")

    def _finish(self, result: Result) -> None:
        self._report()
        self._send(result)

    def _check_cancel(self, job: str) -> None:
        while self._channel.poll(0):
            message = self._receive()
            if isinstance(message, Cancel) and message.job == job:
                raise JobError("cancelled", "cancelled while it ran")

    def _engine(self) -> Engine:
        if self._built is None:
            self._built = self._build()
            self._report()
        return self._built

    def _report(self) -> None:
        """Tell which models there are and what they run on.

        A Pong carries the latter, as it does to clients: the executor takes device, precision and memory from it and
        the server fills in the rest. A message for this channel alone would have to stand in the clients' protocol.
        """
        assert self._built
        self._send(ModelList(self._built.models()))
        self._send(
            Pong(
                version="",
                pid=os.getpid(),
                uptime=0,
                device=self._built.device,
                precision=self._built.precision,
                waiting=0,
                running=0,
                memory=resident_bytes(),
            )
        )

    def _send(self, message: DaemonMessage) -> None:
        self._channel.send_multipart(codec.encode(message, CHANNEL_ID), copy=False)

    def _receive(self) -> ClientMessage:
        return codec.decode_client(self._channel.recv_multipart())[1]


def _attempt(action: Callable[[], object]) -> JobError | None:
    """Why `action` failed, if it did."""
    try:
        action()
    except JobError as exc:
        return exc
    except MemoryError as exc:
        return JobError("out-of-memory", f"not enough memory: {exc}" if str(exc) else "not enough memory")
    except Exception as exc:  # whatever it is: a mistake in the model's code must cost one job, not the worker
        log.exception("inside the engine:")
        return JobError("internal", f"{type(exc).__name__} inside the daemon: its log has the details")
    return None


def resident_bytes() -> int:
    """Memory of this process that is in RAM; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0


def end_with_parent() -> None:
    """End this process when its standard input ends, which the parent holds open as long as it lives."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        os._exit(PARENT_DIED)

    threading.Thread(target=wait, name="end_with_parent", daemon=True).start()


def load(name: str) -> Callable[..., Engine]:
    """The engine's class, from "package.module:Class"."""
    module, _, attribute = name.partition(":")
    factory: Callable[..., Engine] = getattr(importlib.import_module(module), attribute)
    return factory


def main(arguments: Sequence[str] | None = None) -> None:
    end_with_parent()
    parser = argparse.ArgumentParser(prog="daemon.worker", description="The process that owns the model.")
    parser.add_argument("--channel", required=True, help="path of the socket to bind")
    parser.add_argument("--engine", required=True, help="package.module:Class")
    parser.add_argument("--model", required=True, action="append")
    parser.add_argument("--device", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--memory", type=int, help="bytes")
    parser.add_argument("--log-level", required=True)
    options = parser.parse_args(arguments)
    configure(options.log_level)

    channel = zmq.Context().socket(zmq.PAIR)
    channel.bind(f"ipc://{options.channel}")
    Worker(
        channel,
        lambda: load(options.engine)(options.model, options.device, options.precision, options.memory),
    ).serve()


if __name__ == "__main__":
    main()
