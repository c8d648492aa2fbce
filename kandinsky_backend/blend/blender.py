"""Blends: the loop that runs the tasks of a request.

Each item is embedded once, from random numbers of its own, and kept by its content: so weights, the order of items and
the other items never change what an item means, and moving a weight runs no encoder and no prior. The embeddings are
mixed (mixing.py), and every variation is denoised from random numbers of its own. A recipe that makes it again travels
with every picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from PIL import Image

from kandinsky_backend.blend import mixing
from kandinsky_backend.blend.ahead import preparing
from kandinsky_backend.blend.cache import Arrays, EmbedsCache
from kandinsky_backend.blend.footprint import bytes_needed, check_memory
from kandinsky_backend.blend.recipe import INPAINTING, Identity, recipe_of
from kandinsky_backend.blend.redrawing import Redrawing, redrawing_of, with_items
from kandinsky_backend.blend.request import BlendRequest, Embeds, RefineRequest, RepaintRequest, UpscaleRequest, check
from kandinsky_backend.blend.roles import ImageDecoder, ImagePrior
from kandinsky_backend.blend.task_list import tasks_of
from kandinsky_backend.blend.tasks import Denoise, Stage, Task, Workspace
from kandinsky_backend.blend.upscaling import Upscaling, upscaling_of
from kandinsky_backend.errors import BlendError
from kandinsky_backend.families import REFERENCE
from kandinsky_backend.images import to_pil
from kandinsky_backend.sampling import Array
from kandinsky_backend.schedulers.samplers import sampler
from kandinsky_backend.texts import shortened
from plugin_client.wire.settings import Sampling

_PREVIEW_LATENTS = 16  # latent pixels on the longer side of a preview: 128 px, a few hundredths of a step's work


@dataclass(frozen=True)
class Advance:
    """A unit of work has begun (`finished` False) or is done. `left` counts the units that remain, by stage."""

    stage: Stage
    finished: bool
    left: Mapping[str, int]
    variation: int = 0
    predicted_latents: Array | None = field(default=None, repr=False)  # (1, C, h, w), while denoising


@dataclass(frozen=True)
class Notice:
    """Something that the person who asked should know."""

    text: str


@dataclass(frozen=True)
class Embedded:
    """All embeddings of a run are there. Another process with the same model may keep them under their keys."""

    embeds: Mapping[str, Arrays] = field(repr=False)


@dataclass(frozen=True)
class BlendOutput:
    """A picture of the asked size, and the plain data that makes it again."""

    image: Image.Image
    recipe: dict[str, Any]


class Blender:
    """Makes blends with one model. Keep it as long as the model: its cache makes a second blend quick.

    Args:
        prior, decoder: the two pipelines of one model.
        identity: of their weights; a part of every recipe.
        cache: may be shared by several models: its keys name the model.
        side: of the squares that the model draws best, in px.
        sampling: of requests that leave it to the model.
    """

    def __init__(
        self,
        prior: ImagePrior,
        decoder: ImageDecoder,
        identity: Identity,
        cache: EmbedsCache,
        side: int = 512,
        sampling: Sampling = REFERENCE,
    ) -> None:
        self.prior = prior
        self.decoder = decoder
        self.identity = identity
        self.cache = cache
        self.side = side
        self.sampling = sampling

    @property
    def loaded(self) -> bool:
        """True while the models that denoise are in memory."""
        return all(part.loaded for part in self.decoder.parts_of_denoising)

    def release(self) -> None:
        """Free the memory of all models; a run loads them again."""
        encoding = (*self.prior.parts_of_text, *self.prior.parts_of_sampling, *self.prior.parts_of_image)
        decoder = self.decoder
        drawing = (*decoder.parts_of_text, *decoder.parts_of_denoising, *decoder.parts_of_decoding)
        for part in (*encoding, *drawing):
            part.drop()

    def run(self, request: BlendRequest) -> Iterator[Advance | Notice | Embedded | BlendOutput]:
        """Make the blend, a BlendOutput a variation, with an Advance at each step; closing the iterator cancels it.

        There is an Embedded before the first step of denoising.

        A RefineRequest draws its source anew, and a RepaintRequest a part of it: see redrawing.py. An UpscaleRequest
        enlarges it: see upscaling.py.

        Raises:
            BlendError: this model cannot make it. Raised before any work, except where only the embeddings show it
                (on the sphere, directions that cancel out).
            NotEnoughMemory: it takes more memory than there is. Raised before any work.
            CheckpointError: a file of the model is not what it must be, or is gone.
        """
        check(request)
        space = self._workspace(request)
        request = space.request
        self._check(request)
        yield from self._notices(request)
        tasks = tasks_of(space)
        check_memory(_bytes_needed(space, tasks))
        left = Counter(dict.fromkeys(get_args(Stage), 0))
        for task in tasks:
            left[task.stage] += task.units
        with preparing(self.decoder, request.settings) if _embeds_first(tasks) else nullcontext():
            yield from self._done(tasks, left)

    def _done(self, tasks: Iterable[Task], left: Counter[str]) -> Iterator[Advance | Embedded | BlendOutput]:
        """Do the tasks, of which so many units are left by stage."""
        is_told = False
        for task in tasks:
            if not is_told and task.space.is_embedded:
                is_told = True
                yield Embedded(dict(task.space.embeds))
            for part in task.parts:
                if not part.loaded:
                    yield Advance("loading", False, dict(left))
                    part.get()
            yield Advance(task.stage, False, dict(left), task.variation)
            task.start()
            for _ in range(task.units):
                predicted_latents = task.advance()
                left[task.stage] -= 1
                yield Advance(task.stage, True, dict(left), task.variation, predicted_latents)
            if task.image is not None:
                yield self._output(task, task.image)

    def bytes_needed(self, request: BlendRequest) -> int:
        """Bytes that run() takes at its peak beyond what this process holds now: an estimate. Errors as of run()."""
        space = self._workspace(request)
        return _bytes_needed(space, tasks_of(space))

    def preview(self, predicted_latents: Array) -> Image.Image | None:
        """A small picture of the predicted latents, averaged down and decoded.

        None where the memory for models is too small to decode without dropping the UNet in the midst of its steps.
        """
        if not self.decoder.decodes_while_denoising:
            return None
        return to_pil(self.decoder.decode(_small(predicted_latents)))[0]

    def _workspace(self, request: BlendRequest) -> Workspace:
        """The state of a run, whose request has items, a size, a sampler and steps, and the picture it starts from."""
        asked = Sampling(request.settings.sampler, request.settings.steps)
        settings = replace(request.settings, **asked.by(self.sampling)._asdict())
        decoder = self.decoder.with_scheduler(sampler(settings.sampler, self.decoder.scheduler))
        space = Workspace(self.prior, decoder, self.identity, self.cache, replace(request, settings=settings))
        picture: Redrawing | Upscaling
        match request:
            case RefineRequest() | RepaintRequest():
                picture = space.redrawing = redrawing_of(request, decoder, self.side)
            case UpscaleRequest():
                picture = space.upscaling = upscaling_of(request, decoder, self.side)
            case _:
                return space
        settings = replace(settings, width=picture.width, height=picture.height)
        mask = space.redrawing.mask if space.redrawing else None
        space.request = with_items(replace(request, settings=settings), picture.shown, mask, self.prior.image_size)
        return space

    def _output(self, task: Task, image: Image.Image) -> BlendOutput:
        request, inpainting = task.space.request, ""
        if isinstance(request, RepaintRequest):
            inpainting = INPAINTING[self.decoder.is_for_inpainting]
        recipe = recipe_of(request, task.space.item_embeds, task.variation, self.identity, inpainting)
        return BlendOutput(image, recipe)

    def _check(self, request: BlendRequest) -> None:
        mixing.shares(request.weights, request.settings.blending, request.settings.normalise)
        self._check_embeds(request)
        self._check_steps(request)

    def _check_embeds(self, request: BlendRequest) -> None:
        width = self.prior.embedding_dim
        for index, item in enumerate(request.items):
            if isinstance(item, Embeds) and item.values.shape != (width,):
                raise BlendError(
                    "the embedding of item {item} has the shape {shape}, and this model's have ({width},): it was "
                    "made by another model",
                    "foreign-embedding",
                    item=index + 1,
                    shape=item.values.shape,
                    width=width,
                )

    def _check_steps(self, request: BlendRequest) -> None:
        for name, pipeline in (("prior_steps", self.prior), ("steps", self.decoder)):
            value, trained = getattr(request.settings, name), pipeline.scheduler.config.num_train_timesteps
            if value > trained:
                raise BlendError(
                    "{name} is {value}: this model was trained with {trained} steps",
                    "too-many-steps",
                    name=name,
                    value=value,
                    trained=trained,
                )

    def _notices(self, request: BlendRequest) -> Iterator[Notice]:
        for text in dict.fromkeys(request.prompts):
            if cut := self.prior.truncated_text(text):
                yield _left_out(f"the prompt {shortened(text, 40)}", cut)
        yield from self._notices_of_decoder_prompt(request.settings.decoder_prompt)

    def _notices_of_decoder_prompt(self, prompt: str) -> Iterator[Notice]:
        if not prompt:
            return
        if not self.decoder.parts_of_text:
            yield Notice("the model reads no decoder prompt; it was left out")
        elif cut := self.decoder.truncated_text(prompt):
            yield _left_out("the decoder prompt", cut)


def _bytes_needed(space: Workspace, tasks: Iterable[Task]) -> int:
    settings = space.request.settings
    run = bytes_needed((part for task in tasks for part in task.parts), space.decoder, settings)
    return run + (space.upscaling.bytes_needed(settings.count) if space.upscaling else 0)


def _embeds_first(tasks: Sequence[Task]) -> bool:
    """Whether something is embedded before a picture is denoised."""
    first = next((n for n, task in enumerate(tasks) if isinstance(task, Denoise)), 0)
    return first > 0


def _left_out(what: str, cut: str) -> Notice:
    return Notice(f"{what} is longer than the model reads; this was left out: {shortened(cut)}")


def _small(latents: Array) -> Array:
    """latents (1, C, h, w) averaged over square blocks, cut to whole blocks: at least one, whatever the shape."""
    _, channels, height, width = latents.shape
    block = min(-(-max(height, width) // _PREVIEW_LATENTS), height, width)
    rows, columns = height // block, width // block
    whole = latents[:, :, : rows * block, : columns * block]
    return whole.reshape(1, channels, rows, block, columns, block).mean(axis=(3, 5))
