"""The models that a daemon offers. With the modules of job kinds the only importer of kandinsky_backend."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from daemon.downloads import download
from daemon.embeddings import keep
from daemon.errors import JobError
from daemon.estimate import UNKNOWN, Estimates
from daemon.executors.base import Embedding, JobAdvanced, JobDone, JobEmbedded
from daemon.job_kinds import KINDS, load
from daemon.texts import clip_note
from kandinsky_backend import device as devices
from kandinsky_backend import families, library
from kandinsky_backend.blend import Blender, EmbedsCache, Identity, open_blender
from kandinsky_backend.errors import BlendError, CheckpointError, DeviceError, NotEnoughMemory, PictureError
from kandinsky_backend.families import ModelSource
from kandinsky_backend.residency import Residency
from plugin_client.wire.messages import JobRequest, ModelInfo

log = logging.getLogger(__name__)

JobEvent = JobAdvanced | JobEmbedded | JobDone


@dataclass(frozen=True)
class Model:
    """A model whose files are here, as the runner of a kind of job gets it."""

    source: ModelSource
    blender: Blender
    estimates: Estimates  # of all models


class Run(Protocol):
    """The runner of one kind of job, as job_kinds.KINDS names it.

    Yields JobAdvanced after each step, JobEmbedded with all embeddings on the way, and JobDone last. Closing the
    iterator gives the job up. The errors of kandinsky_backend are turned into a JobError here, in the engine.
    """

    def __call__(self, job: str, request: Any, model: Model) -> Iterator[JobEvent]: ...


class Engine:
    """Runs jobs on the models that a daemon offers; each is found and read when it is first asked for.

    Args:
        models: what `--model` was given; the first is the default.
        device: "auto", "cpu" or "ascend".
        precision: "auto" or a key of kandinsky_backend.device.PRECISIONS.
        memory: bytes of weights to keep loaded; None: a share of the machine's memory.

    Raises:
        JobError: "load-failed": the device is not there, or does not compute in that precision.
    """

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        with _job_errors():
            if device != "auto":
                devices.select(device)
            self._dtype = devices.precision_called(precision)
        log.info("models compute in %s on the %s", self.precision, self.device)
        self._names = tuple(models)
        self._residency = Residency(memory)
        self._cache = EmbedsCache()
        self._offered: dict[str, ModelSource | str] = {}  # by name; in place of one that cannot be found, why
        self._blenders: dict[str, Blender] = {}
        self._noted: set[str] = set()  # names of models
        self._estimates = Estimates()
        self._runners: dict[type, Run] = {request: load(kind.runner) for request, kind in KINDS.items()}
        self._look()
        for name in models:
            _log_note(name, self._offered[name])

    @property
    def device(self) -> str:
        return devices.current()

    @property
    def precision(self) -> str:
        return devices.name_of(self._dtype)

    def models(self) -> tuple[ModelInfo, ...]:
        """Return the models on offer, the default first, and those beside them that were fetched."""
        return tuple(self._info(name, found) for name, found in self._offered.items())

    def prepare(self) -> None:
        """Open the default model if its files are in a folder here, which takes seconds; its weights are not read."""
        try:
            with _job_errors():
                source = families.locate(self._names[0])
                if all(Path(place).is_dir() for place in source.parts.values()):
                    self._blender(source)
        except JobError as exc:
            log.warning("jobs on the model %s will fail: %s", self._names[0], exc)

    def run(self, job: str, request: JobRequest, known: Sequence[Embedding] = ()) -> Generator[JobEvent, None, None]:
        """Run a job: JobAdvanced after each step, JobDone last. Closing the iterator gives the job up.

        `known` are embeddings that need not be made; a JobEmbedded tells the others of the job.

        Raises:
            JobError: it cannot be done, and why.
        """
        with _job_errors():
            source = families.locate(request.model or self._names[0])
        _check_kind(request, source)
        self._look()
        if source.name not in self._blenders:
            yield JobAdvanced(job, "loading", step=0, steps=0, variation=request.variation, remaining=UNKNOWN)
            with _job_errors():
                yield from download(job, request.variation, source)
            self._look()
        with _job_errors():
            model = Model(source, self._blender(source), self._estimates)
            _check_model_hash(request, model.blender.identity)
            notes = self._new_notes(source)
            keep(known, self._cache)
            for event in self._runners[type(request)](job, request, model):
                yield _finished(event, notes, known)

    def _look(self) -> None:
        """Look which models are on the disk; of those that were removed since they were opened nothing is kept."""
        self._offered = {name: _found(name) for name in dict.fromkeys((*self._names, *library.fetched_names()))}
        for name in tuple(self._blenders):
            if not _is_here(_found(name)):
                self._blenders.pop(name).release()

    def _new_notes(self, source: ModelSource) -> tuple[str, ...]:
        """Return the model's note for whoever uses it, unless a job has been told it before."""
        if not source.note or source.name in self._noted:
            return ()
        self._noted.add(source.name)
        return (source.note,)

    def _blender(self, source: ModelSource) -> Blender:
        """Return the blender of a model; its files are found, or downloaded, at the first call."""
        if source.name not in self._blenders:
            self._blenders[source.name] = open_blender(source, self._dtype, self._residency, self._cache)
        return self._blenders[source.name]

    def _info(self, name: str, source: ModelSource | str) -> ModelInfo:
        if isinstance(source, str):
            return ModelInfo(name, name, "", loaded=False, note=clip_note(source), side=families.KANDINSKY_2_1.side)
        blender = self._blenders.get(name)
        return ModelInfo(
            name=name,
            source=source.origin,
            hash=blender.identity.model_hash if blender else "",
            loaded=blender is not None and blender.loaded,
            note=source.note,
            side=source.side,
            sampler=source.sampling.sampler,
            steps=source.sampling.steps,
            family=source.family.name,
            jobs=source.family.jobs,
        )


def _finished(event: JobEvent, notes: Sequence[str], known: Sequence[Embedding]) -> JobEvent:
    """Return an event of a runner as the engine tells it."""
    match event:
        case JobDone():
            return replace(event, warnings=(*notes, *event.warnings))
        case JobEmbedded():
            given = {one.key for one in known}
            return replace(event, embeddings=tuple(one for one in event.embeddings if one.key not in given))
    return event


def _found(name: str) -> ModelSource | str:
    """Return the model of a name, or why there is none."""
    try:
        return families.locate(name)
    except CheckpointError as exc:
        return str(exc)


def _is_here(source: ModelSource | str) -> bool:
    return isinstance(source, ModelSource) and library.is_here(source)


def _log_note(name: str, source: ModelSource | str) -> None:
    """Log what whoever starts a daemon should know of a model that it offers."""
    if isinstance(source, str):
        log.warning("jobs on the model %s will fail: %s", name, source)
    elif source.note:
        log.info("%s", source.note)


@contextmanager
def _job_errors() -> Iterator[None]:
    """Turn the backend's errors that a client can act on into a JobError.

    A model's files may also fail to be read in the midst of a job. Any other error is a mistake in the code.
    """
    try:
        yield
    except (CheckpointError, DeviceError) as exc:
        raise JobError("load-failed", str(exc)) from exc
    except NotEnoughMemory as exc:
        raise JobError("out-of-memory", str(exc)) from exc
    except (BlendError, PictureError) as exc:
        raise JobError("bad-request", str(exc)) from exc


def _check_kind(request: JobRequest, source: ModelSource) -> None:
    if request.kind not in source.family.jobs:
        able = ", ".join(source.family.jobs) or "none"
        raise JobError("bad-request", f"the model {source.label!r} does no {request.kind} jobs; it can do: {able}")


def _check_model_hash(request: JobRequest, known: Identity) -> None:
    if request.model_hash and request.model_hash != known.model_hash:
        raise JobError(
            "wrong-model",
            f"this was made by weights with the fingerprint {request.model_hash[:12]}, and the model "
            f"{known.model!r} here has {known.model_hash[:12]}: start the daemon with the model that made it",
        )
