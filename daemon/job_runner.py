"""Runs jobs one after another on an engine, whatever goes wrong in it. Knows no process, no channel and no thread."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daemon.errors import JobError
from daemon.executors.base import Embedding, JobAdvanced, JobDone, JobEmbedded, JobFailed
from daemon.texts import clip_note
from plugin_client.wire.messages import JobRequest, ModelInfo

log = logging.getLogger(__name__)


class Engine(Protocol):
    """Turns requests into pictures. Made with (models, device, precision, memory); see engine.Engine."""

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> str: ...

    def models(self) -> tuple[ModelInfo, ...]: ...

    def prepare(self) -> None:
        """Do what the first job would have to, as far as it is known before."""

    def run(
        self, job: str, request: JobRequest, known: Sequence[Embedding] = ()
    ) -> Generator[JobAdvanced | JobEmbedded | JobDone, None, None]:
        """JobAdvanced after each step, JobDone last. Closing the iterator gives the job up.

        `known` are embeddings that need not be made; a JobEmbedded tells the others of the job.

        Raises:
            JobError: the job cannot be done, and why.
        """


@dataclass(frozen=True)
class RunnerState:
    """The hardware and models of a runner. `memory` is in bytes, 0 where the system does not tell."""

    device: str
    precision: str
    memory: int
    models: tuple[ModelInfo, ...]


RunnerEvent = RunnerState | JobAdvanced | JobEmbedded | JobDone | JobFailed


class JobRunner:
    """Runs jobs on the engine that `build` makes.

    If the engine cannot be built, each job fails with the reason, and the next one tries again: the model's files may
    have come meanwhile.
    """

    def __init__(self, build: Callable[[], Engine]) -> None:
        self._build = build
        self._built: Engine | None = None

    def prepare(self) -> Iterator[RunnerEvent]:
        """Build and prepare the engine before the first job asks for it. Whatever happens, nothing is raised."""
        for event in _guarded("", self._prepared_ahead()):
            if isinstance(event, JobFailed):
                log.warning("no job can be done: %s", event.message)
            else:
                yield event

    def run(
        self, job: str, request: JobRequest, is_cancelled: Callable[[], bool], known: Sequence[Embedding] = ()
    ) -> Iterator[RunnerEvent]:
        """Run a job. Whatever happens, the last event is a JobDone or a JobFailed and nothing is raised.

        Args:
            is_cancelled: asked after each step.
            known: embeddings that need not be made.
        """
        yield from _guarded(job, self._events(job, request, is_cancelled, known))

    def _events(
        self, job: str, request: JobRequest, is_cancelled: Callable[[], bool], known: Sequence[Embedding]
    ) -> Iterator[RunnerEvent]:
        yield from self._prepared()
        stage = None
        with closing(self._engine.run(job, request, known)) as events:
            for event in events:
                if isinstance(event, JobDone):
                    yield self._state()  # first, so that whoever hears of the end knows it
                    yield event
                    return
                yield event
                if isinstance(event, JobEmbedded):
                    continue
                if event.stage != stage:
                    stage = event.stage
                    yield self._state()
                if is_cancelled():
                    raise JobError("cancelled", "cancelled while it ran")
        raise RuntimeError("the engine ended without a result")

    def _prepared_ahead(self) -> Iterator[RunnerState]:
        yield from self._prepared()
        self._engine.prepare()
        yield self._state()

    def _prepared(self) -> Iterator[RunnerState]:
        if self._built is None:
            self._built = self._build()
            yield self._state()

    @property
    def _engine(self) -> Engine:
        assert self._built, "the engine is built first"
        return self._built

    def _state(self) -> RunnerState:
        engine = self._engine
        return RunnerState(engine.device, engine.precision, resident_bytes(), engine.models())


def _guarded(job: str, events: Iterator[RunnerEvent]) -> Iterator[RunnerEvent]:
    """Yield the events, and where one raises the JobFailed that says why."""
    try:
        yield from events
    except JobError as exc:
        yield JobFailed(job, exc.code, clip_note(str(exc)))
    except MemoryError as exc:
        why = f"not enough memory: {exc}" if str(exc) else "not enough memory"
        yield JobFailed(job, "out-of-memory", clip_note(why))
    except Exception as exc:  # whatever it is: a mistake in the model's code must cost one job, not the process
        log.exception("inside the engine:")
        yield JobFailed(job, "internal", f"{type(exc).__name__} inside the daemon: its log has the details")


def resident_bytes() -> int:
    """Return the bytes of this process that are in RAM; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0
