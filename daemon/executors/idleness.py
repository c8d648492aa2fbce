"""When an idle worker is worth starting anew: it has grown, or nobody has needed its models for long."""

from __future__ import annotations

import time

from daemon.executors.base import JobDone, JobFailed
from daemon.executors.channel import Heartbeat, Message
from daemon.job_runner import RunnerState

UNLOAD_SECONDS = 1800.0  # without a job, after which the memory of models is given back
PAUSE_SECONDS = 30.0  # without a job, before a worker that has grown is started anew: nobody is in the midst of work
GROWN_TIMES, GROWN_BYTES = 1.5, 2**29  # beyond what it took after the first job with the same models


class Idleness:
    """Listens to one worker. Computing libraries keep a little of each step, which only a new process gives back."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._loaded: tuple[str, ...] = ()  # names of models
        self._memory = 0  # bytes
        self._usual = 0  # bytes, after the first job with the models that are loaded; 0 before it

    def hear(self, message: Message) -> None:
        """Take in what the worker has said."""
        if isinstance(message, Heartbeat):
            return
        self._since = time.monotonic()
        if isinstance(message, RunnerState):
            self._memory = message.memory
            loaded = tuple(model.name for model in message.models if model.loaded)
            if loaded != self._loaded:
                self._loaded, self._usual = loaded, 0
        elif isinstance(message, JobDone | JobFailed) and not self._usual:
            self._usual = self._memory

    def reason(self) -> str:
        """Return why the worker, which has no job, should be started anew; "" if it should not."""
        idle = time.monotonic() - self._since
        if self._loaded and idle > UNLOAD_SECONDS:
            return f"no job came for {UNLOAD_SECONDS / 60:.0f} min: the memory of the models is given back"
        if self._usual and idle > PAUSE_SECONDS and self._memory > GROWN_TIMES * self._usual + GROWN_BYTES:
            return f"the worker has grown from {self._usual / 1e6:.0f} to {self._memory / 1e6:.0f} MB"
        return ""
