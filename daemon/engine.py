"""Wire request -> backend call. The only importer of kandinsky_backend, and only ever run in the worker process."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from daemon.errors import JobError
from daemon.estimate import Estimate, Estimates
from daemon.jobs import clip_note
from kandinsky_backend import blend as backend
from kandinsky_backend import catalog
from kandinsky_backend import device as devices
from kandinsky_backend.cache import EmbedsCache
from kandinsky_backend.catalog import ModelSource
from kandinsky_backend.checkpoint import CheckpointError
from kandinsky_backend.device import DeviceError
from kandinsky_backend.images import PictureError
from kandinsky_backend.mixing import BlendError
from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.residency import Residency
from kandinsky_backend.weights import WeightsError
from plugin_client.wire import messages as wire

log = logging.getLogger(__name__)


class Engine:
    """The models that a daemon offers; each is found and read when it is first asked for.

    Args:
        models: what `--model` was given; the first is the default.
        device: "auto", "cpu" or "ascend".
        precision: "auto" or a key of kandinsky_backend.device.PRECISIONS.
        memory: bytes of weights to keep loaded; None: a share of the machine's memory.

    Raises:
        JobError: "load-failed": the device is not there.
    """

    def __init__(self, models: Sequence[str], device: str, precision: str, memory: int | None) -> None:
        with _job_errors():
            if device != "auto":
                devices.select(device)
            wanted = devices.best_precision() if precision == "auto" else devices.PRECISIONS[precision]
            self._dtype = devices.compute_dtype(wanted)
        self._names = tuple(models)
        self._residency = Residency(memory)
        self._cache = EmbedsCache()
        self._blenders: dict[str, backend.Blender] = {}
        self._noted: set[str] = set()  # names of models
        self._estimates = Estimates()
        for name in models:
            _log_note(name)

    @property
    def device(self) -> str:
        return devices.current()

    @property
    def precision(self) -> str:
        return devices.name_of(self._dtype)

    def models(self) -> tuple[wire.ModelInfo, ...]:
        """What is offered, the default first."""
        return tuple(map(self._info, self._names))

    def run(self, job: str, blend: wire.Blend) -> Generator[wire.Progress | wire.Result, None, None]:
        """Make the pictures of a blend.

        Raises:
            JobError: it cannot be made, and why.
        """
        report = _Report(job, blend.variation)
        with _job_errors():
            source = catalog.locate(blend.model or self._names[0])
        if source.name not in self._blenders:
            yield report.progress("loading")
        with _job_errors():
            blender = self._blender(source)
            blend = _sized(blend, source)
            _check_model_hash(blend, blender)
            estimate = self._estimates.of((blender.identity, blend.width, blend.height))
            pictures: list[backend.Made] = []
            warnings = self._new_notes(source)
            for event in blender.run(request_of(blend)):
                match event:
                    case backend.Notice():
                        warnings.append(clip_note(event.text))
                    case backend.Made():
                        pictures.append(event)
                    case backend.Advance():
                        report.advance(event, estimate)
                        yield report.progress(event.stage, _preview(blend, blender, event))
        made = tuple(wire_picture(one.image) for one in pictures)
        yield wire.Result(job, made, pictures[0].recipe, tuple(warnings))

    def _new_notes(self, source: ModelSource) -> list[str]:
        """What whoever uses the model should know, unless a picture of it has said so."""
        if not source.note or source.name in self._noted:
            return []
        self._noted.add(source.name)
        return [source.note]

    def _blender(self, source: ModelSource) -> backend.Blender:
        """The blender of a model; its files are found, or downloaded, at the first call."""
        if source.name not in self._blenders:
            self._blenders[source.name] = self._open(source)
        return self._blenders[source.name]

    def _open(self, source: ModelSource) -> backend.Blender:
        """Find or download a model's files; its weights are read when they are needed."""
        how: dict[str, Any] = {"mindspore_dtype": self._dtype, "residency": self._residency}
        try:
            prior = KandinskyPriorPipeline.from_pretrained(source.prior, **how)
            decoder = KandinskyPipeline.from_pretrained(source.decoder, **how)
        except ValueError as exc:  # also the word of a config for a value that its model does not implement
            raise JobError("load-failed", str(exc)) from exc
        identity = backend.Identity(source.label, _hash(prior, decoder), self.precision, self.device)
        return backend.Blender(prior, decoder, identity, self._cache)

    def _info(self, name: str) -> wire.ModelInfo:
        try:
            source = catalog.locate(name)
        except CheckpointError as exc:
            return wire.ModelInfo(name, name, "", loaded=False, note=clip_note(str(exc)), side=catalog.TRAINED_SIDE)
        blender = self._blenders.get(name)
        return wire.ModelInfo(
            name=name,
            source=source.decoder,
            hash=blender.identity.model_hash if blender else "",
            loaded=blender is not None and all(part.loaded for part in blender.decoder.parts_of_denoising),
            note=source.note,
            side=source.side,
        )


class _Report:
    """How far a job has come, and how long it will take."""

    def __init__(self, job: str, variation: int) -> None:
        self._job = job
        self._variation = variation
        self._began = self._last = time.monotonic()
        self._step = self._steps = 0
        self._remaining = -1.0

    def advance(self, event: backend.Advance, estimate: Estimate) -> None:
        """Take in an event, and what its step has cost."""
        now = time.monotonic()
        if event.finished:
            estimate.learn(event.stage, now - self._last)
        self._last = now
        left = sum(event.left.values())
        self._steps = self._steps or left
        self._step = self._steps - left
        self._variation = event.variation if event.stage in ("denoising", "decoding") else self._variation
        self._remaining = estimate.remaining(event.left)

    def progress(self, stage: wire.Stage, preview: wire.Picture | None = None) -> wire.Progress:
        return wire.Progress(
            job=self._job,
            stage=stage,
            step=self._step,
            steps=self._steps,
            variation=self._variation,
            elapsed=time.monotonic() - self._began,
            remaining=self._remaining,
            preview=preview,
        )


def _log_note(name: str) -> None:
    """What whoever starts a daemon should know of a model that it offers."""
    try:
        source = catalog.locate(name)
    except CheckpointError as exc:
        log.warning("jobs on the model %s will fail: %s", name, exc)
        return
    if source.note:
        log.info("%s", source.note)


@contextmanager
def _job_errors() -> Iterator[None]:
    """The backend's errors that a client can act on; a model's files may also fail to be read in the midst of a job.

    Any other error is a mistake in the code, and the worker treats it so.
    """
    try:
        yield
    except (CheckpointError, WeightsError, DeviceError) as exc:
        raise JobError("load-failed", str(exc)) from exc
    except (BlendError, PictureError) as exc:
        raise JobError("bad-request", str(exc)) from exc


def _check_model_hash(blend: wire.Blend, blender: backend.Blender) -> None:
    known = blender.identity
    if blend.model_hash and blend.model_hash != known.model_hash:
        raise JobError(
            "wrong-model",
            f"this was made by weights with the fingerprint {blend.model_hash[:12]}, and the model "
            f"{known.model!r} here has {known.model_hash[:12]}: start the daemon with the model that made it",
        )


def _hash(*pipelines: KandinskyPriorPipeline | KandinskyPipeline) -> str:
    """Fingerprint of a model's weights and configs, hex."""
    parts = [pipeline.checkpoint.fingerprint() for pipeline in pipelines if pipeline.checkpoint]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def _preview(blend: wire.Blend, blender: backend.Blender, event: backend.Advance) -> wire.Picture | None:
    """A small picture with every n-th denoising step, where the client asked for it."""
    if event.predicted_latents is None or not blend.preview_every:
        return None
    done = blend.steps * blend.count - event.left["denoising"]
    if done % blend.preview_every:
        return None
    preview = blender.preview(event.predicted_latents)
    return None if preview is None else wire_picture(preview)


def _sized(blend: wire.Blend, source: ModelSource) -> wire.Blend:
    """The blend with the model's own size where none was asked for."""
    return blend if blend.width else replace(blend, width=source.side, height=source.side)


def request_of(blend: wire.Blend) -> backend.Request:
    """What the backend calls a blend."""
    return backend.Request(
        items=tuple(_item(item) for item in blend.items),
        width=blend.width,
        height=blend.height,
        steps=blend.steps,
        guidance_scale=blend.guidance,
        prior_steps=blend.prior_steps,
        prior_guidance_scale=blend.prior_guidance,
        seed=blend.seed,
        negative=blend.negative,
        decoder_prompt=blend.decoder_prompt,
        variation=blend.variation,
        count=blend.count,
        blending=blend.blending,
        normalise=blend.normalise,
    )


def _item(item: wire.Item) -> backend.Item:
    match item:
        case wire.TextItem():
            return backend.Text(item.text, item.weight)
        case wire.PictureItem():
            return backend.Picture(pillow_image(item.picture), item.weight, item.fit, item.backdrop, item.label)
        case wire.EmbedsItem():
            return backend.Embeds(np.frombuffer(item.embeds, "<f4").astype(np.float32), item.weight, item.label)


def pillow_image(picture: wire.Picture) -> Image.Image:
    mode = "RGBA" if picture.channels == 4 else "RGB"
    return Image.frombytes(mode, (picture.width, picture.height), picture.pixels)


def wire_picture(image: Image.Image) -> wire.Picture:
    return wire.Picture(image.width, image.height, 3, image.convert("RGB").tobytes())
