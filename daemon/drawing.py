"""Makes the pictures of a job of any kind: the wire's values become the backend's, its events the executor's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

from daemon.embeddings import embedding_of
from daemon.engine import JobEvent, Model
from daemon.estimate import Estimate
from daemon.executors.base import JobAdvanced, JobDone, JobEmbedded
from daemon.texts import clip_note
from kandinsky_backend import blend as backend
from plugin_client.wire import messages as wire


def pictures_of(job: str, request: wire.AnyRequest, drawn: backend.BlendRequest, model: Model) -> Iterator[JobEvent]:
    """Make the pictures of a job, whose request is `drawn` to the backend. See engine.Run."""
    blender = model.blender
    kind = (blender.identity, request.kind, drawn.settings.width, drawn.settings.height)
    progress = _Progress(job, request, model.estimates.of(kind))
    pictures: list[backend.BlendOutput] = []
    warnings: list[str] = []
    for event in blender.run(drawn):
        match event:
            case backend.Notice():
                warnings.append(clip_note(event.text))
            case backend.BlendOutput():
                pictures.append(event)
            case backend.Embedded(embeds):
                yield JobEmbedded(job, tuple(embedding_of(key, arrays) for key, arrays in embeds.items()))
            case backend.Advance():
                yield progress.advance(event, blender)
    made = tuple(wire_picture(one.image) for one in pictures)
    yield JobDone(job, made, pictures[0].recipe, tuple(warnings))


class _Progress:
    """Counts the steps of a job, shows some of them, and estimates the time that is left."""

    def __init__(self, job: str, request: wire.AnyRequest, estimate: Estimate) -> None:
        self._job = job
        self._variation = request.variation
        self._preview_every = request.preview_every
        self._estimate = estimate
        self._last = time.monotonic()
        self._steps = self._denoising = 0  # of the whole job

    def advance(self, event: backend.Advance, blender: backend.Blender) -> JobAdvanced:
        """Count an event, and learn what its step has cost."""
        now = time.monotonic()
        if event.finished:
            self._estimate.learn(event.stage, now - self._last)
        self._last = now
        left = sum(event.left.values())
        if not self._steps:
            self._steps, self._denoising = left, event.left["denoising"]
        self._variation = event.variation if event.stage in ("denoising", "decoding") else self._variation
        return JobAdvanced(
            job=self._job,
            stage=event.stage,
            step=self._steps - left,
            steps=self._steps,
            variation=self._variation,
            remaining=self._estimate.remaining(event.left),
            preview=self._preview(event, blender),
        )

    def _preview(self, event: backend.Advance, blender: backend.Blender) -> wire.Picture | None:
        """A small picture with every n-th denoising step, where the client asked for it."""
        if event.predicted_latents is None or not self._preview_every:
            return None
        if (self._denoising - event.left["denoising"]) % self._preview_every:
            return None
        preview = blender.preview(event.predicted_latents)
        return None if preview is None else wire_picture(preview)


def items_of(request: wire.AnyRequest) -> tuple[backend.Item, ...]:
    """The items of a request as the backend takes them."""
    return tuple(map(_item, request.items))


def _item(item: wire.Item) -> backend.Item:
    match item:
        case wire.TextItem():
            return backend.Text(item.text, item.weight)
        case wire.PictureItem():
            return backend.Picture(pillow_image(item.picture), item.weight, item.fit, item.backdrop, item.label)
        case wire.EmbedsItem():
            return backend.Embeds(np.frombuffer(item.embeds, "<f4").astype(np.float32), item.weight, item.label)


_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # of Pillow, by channels


def pillow_image(picture: wire.Picture) -> Image.Image:
    return Image.frombytes(_MODES[picture.channels], (picture.width, picture.height), picture.pixels)


def wire_picture(image: Image.Image) -> wire.Picture:
    """RGBA where the image has transparency, else RGB."""
    mode, channels = ("RGBA", 4) if image.has_transparency_data else ("RGB", 3)
    return wire.Picture(image.width, image.height, channels, image.convert(mode).tobytes())
