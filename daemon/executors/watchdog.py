"""Finds a worker that lives and does nothing: stopped, deadlocked, or in a step that does not end."""

from __future__ import annotations

import os
import time
from pathlib import Path

from daemon.executors.base import JobAdvanced
from daemon.executors.channel import Heartbeat, Message

SILENCE_SECONDS = 7.0  # without a heartbeat, and without computing
IDLE_SHARE = 0.02  # of one processor: whoever uses less is not computing. Waiting for Python's lock takes some
STEP_TIMES = 20.0  # a step may take so many times what it is estimated to take,
LEAST_STEP_SECONDS = 120.0  # and always so long,
FIRST_STEP_SECONDS = 3600.0  # and as long as this before there is an estimate: operators are compiled
GLANCE_SECONDS = 1.0  # the most that one look adds to the silence: it is the daemon that may have slept


class Watchdog:
    """Listens to one worker. A download may take hours, so loading has no deadline."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._silence = 0.0
        self._step_seconds = 0.0  # since the step began
        self._deadline = float("inf")  # s, of the step
        self._looked = time.monotonic()
        self._used = _processor_seconds(pid)  # when it was last heard

    def hear(self, message: Message) -> None:
        """Take in that the worker has said something."""
        self._silence, self._used = 0.0, _processor_seconds(self._pid)
        if isinstance(message, JobAdvanced):
            self._step_seconds, self._deadline = 0.0, _deadline(message)
        elif not isinstance(message, Heartbeat):
            self._deadline = float("inf")

    def complaint(self) -> str:
        """Return what is wrong with the worker, as the end of a sentence; "" while nothing is. Ask often."""
        now = time.monotonic()
        glance = min(GLANCE_SECONDS, now - self._looked)
        self._looked = now
        self._silence += glance
        self._step_seconds += glance
        if self._silence > SILENCE_SECONDS and self._is_idle():
            return f"did nothing for {self._silence:.0f} s"
        if self._step_seconds > self._deadline:
            return f"was at one step for {self._step_seconds:.0f} s, which is far too long"
        return ""

    def _is_idle(self) -> bool:
        """Whether it has computed nothing since it was last heard, where the system tells."""
        used = _processor_seconds(self._pid)
        return self._used is not None and used is not None and used - self._used < IDLE_SHARE * self._silence


def _deadline(progress: JobAdvanced) -> float:
    if progress.stage in ("downloading", "loading"):
        return float("inf")
    left = progress.steps - progress.step
    if progress.remaining <= 0 or left <= 0:
        return FIRST_STEP_SECONDS
    return max(LEAST_STEP_SECONDS, STEP_TIMES * progress.remaining / left)


def _processor_seconds(pid: int) -> float | None:
    """Return the seconds that all threads of a process have computed; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
