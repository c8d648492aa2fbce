"""The child process that owns the models: `python -m daemon.worker`, started by executors.local.LocalExecutor.

It is the channel of a JobRunner: a thread listens for jobs and cancels, the main thread runs one job at a time. Its
standard input and output are the channel.
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from queue import SimpleQueue

from daemon.child import die_with_parent
from daemon.executors.channel import HEARTBEAT_PAUSE, CancelJob, Channel, Heartbeat, Message, RunJob
from daemon.job_kinds import load
from daemon.job_runner import JobRunner, RunnerEvent
from daemon.logs import configure

log = logging.getLogger("daemon.worker")  # this module is called __main__

CHANNEL_ENDED = 1  # exit code: the parent has died


class Worker:
    """Runs the jobs that come over a channel."""

    def __init__(self, channel: Channel, runner: JobRunner) -> None:
        self._channel = channel
        self._runner = runner
        self._jobs: SimpleQueue[RunJob] = SimpleQueue()
        self._cancelled = ""  # id of the job that was cancelled last

    def serve(self) -> None:
        """Run jobs for ever; the process ends when its parent does."""
        threading.Thread(target=self._listen, name="listen", daemon=True).start()
        threading.Thread(target=self._beat, name="heart", daemon=True).start()
        self._send(self._runner.prepare())
        while True:
            job = self._jobs.get()
            self._send(self._runner.run(job.job, job.request, lambda: self._cancelled == job.job, job.known))  # noqa: B023

    def _listen(self) -> None:
        """Take in messages as long as the parent lives: when it ends, however it ends, the channel does.

        The process does not live on without somebody who listens, whatever the reason.
        """
        try:
            while message := self._channel.receive():
                self._take(message)
        except Exception:
            log.exception("inside the channel:")
        logging.shutdown()  # which writes the last lines
        os._exit(CHANNEL_ENDED)

    def _beat(self) -> None:
        """Show that this process runs, whatever its main thread does."""
        with suppress(OSError):  # the daemon has ended, which the listening thread heeds
            while True:
                self._channel.send(Heartbeat())
                time.sleep(HEARTBEAT_PAUSE)

    def _take(self, message: Message) -> None:
        match message:
            case RunJob():
                self._jobs.put(message)
            case CancelJob():
                self._cancelled = message.job

    def _send(self, events: Iterable[RunnerEvent]) -> None:
        for event in events:
            self._channel.send(event)


def channel_of_standard_streams() -> Channel:
    """A channel over standard input and output, which nothing else of this process reads or writes from now on.

    What a library prints goes to standard error, where the log goes.
    """
    source, sink = (os.fdopen(os.dup(number), mode) for number, mode in ((0, "rb"), (1, "wb")))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return Channel(source, sink)


def main(arguments: Sequence[str] | None = None) -> None:
    die_with_parent()
    channel = channel_of_standard_streams()
    parser = argparse.ArgumentParser(prog="daemon.worker", description="The process that owns the models.")
    parser.add_argument("--engine", required=True, help="package.module:Class")
    parser.add_argument("--model", required=True, action="append")
    parser.add_argument("--device", required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--memory", type=int, help="bytes")
    parser.add_argument("--log-level", required=True)
    parser.add_argument("--log-format", default="text")
    options = parser.parse_args(arguments)
    configure(options.log_level, options.log_format)
    runner = JobRunner(lambda: load(options.engine)(options.model, options.device, options.precision, options.memory))
    Worker(channel, runner).serve()


if __name__ == "__main__":
    main()
