"""The product's own meaning of a blend.

Each item is embedded once, from a stream of random numbers of its own, and kept by its content: so weights, the order
of items and the other items never change what an item means, and moving a weight runs no encoder and no prior. The
embeddings are mixed (mixing.py), and every variation is denoised from a stream of its own. What was made travels with
a recipe that makes it again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
from PIL import Image

from kandinsky_backend import mixing
from kandinsky_backend.cache import EmbedsCache
from kandinsky_backend.images import Fit, PictureError, check_not_too_narrow, crop_centre, fit_square, to_pil
from kandinsky_backend.mixing import Array, BlendError, Blending
from kandinsky_backend.pipeline_base import shortened
from kandinsky_backend.pipelines import KandinskyPipeline, KandinskyPriorPipeline
from kandinsky_backend.residency import Resident
from kandinsky_backend.sampling import Steps, TextConditioning, initial_latents, is_guided
from kandinsky_backend.schedulers import draw_noise

RECIPE_VERSION = 1
_PREVIEW_LATENTS = 16  # latent pixels on the longer side of a preview: 128 px, a few hundredths of a step's work

Stage = Literal["loading", "encoding", "prior", "denoising", "decoding"]


@dataclass(frozen=True)
class Text:
    """A prompt."""

    text: str
    weight: float


@dataclass(frozen=True)
class Picture:
    """A picture, RGB or RGBA, of any size. `fit` and `backdrop` say how it becomes the square that the model sees."""

    image: Image.Image
    weight: float
    fit: Fit = "crop"
    backdrop: tuple[int, int, int] = (255, 255, 255)
    label: str = ""


@dataclass(frozen=True)
class Embeds:
    """An image embedding (D,) float32, from a recipe."""

    values: Array
    weight: float
    label: str = ""


Item = Text | Picture | Embeds


@dataclass(frozen=True)
class Request:
    """All that a blend needs. Sizes are in pixels.

    `variation` is the number of the first picture and `count` how many are made: variation n of a seed is the same
    picture whatever else is asked for. `negative` is a prompt to keep away from. `decoder_prompt` reaches the
    multilingual text encoder of the decoder; the reference leaves it empty.
    """

    items: tuple[Item, ...]
    width: int
    height: int
    steps: int
    guidance_scale: float
    prior_steps: int
    prior_guidance_scale: float
    seed: int
    negative: str = ""
    decoder_prompt: str = ""
    variation: int = 0
    count: int = 1
    blending: Blending = "linear"
    normalise: bool = False


@dataclass(frozen=True)
class Identity:
    """Which weights, computing how, make the pictures: part of a recipe."""

    model: str
    model_hash: str
    precision: str
    device: str


@dataclass(frozen=True)
class Advance:
    """A unit of work has begun (`finished` False) or is done. `left` counts the units that remain, by stage."""

    stage: Stage
    finished: bool
    left: Mapping[str, int]
    variation: int = 0
    predicted_latents: Array | None = field(default=None, repr=False)  # (1, 4, h, w), while denoising


@dataclass(frozen=True)
class Notice:
    """Something that the person who asked should know."""

    text: str


@dataclass(frozen=True)
class Made:
    """A picture of the asked size, and the plain data that makes it again."""

    image: Image.Image
    recipe: dict[str, Any]


@dataclass(frozen=True)
class _Unit:
    """A unit of work, before it is counted."""

    stage: Stage
    finished: bool = True
    variation: int = 0
    predicted_latents: Array | None = None


class Blender:
    """Makes blends with one model; keep it as long as the model, since its cache is what makes a second blend quick.

    Args:
        prior, decoder: the two pipelines of one model.
        identity: which weights they are; goes into the recipes.
        cache: may be shared by several models: its keys name the model.
    """

    def __init__(
        self, prior: KandinskyPriorPipeline, decoder: KandinskyPipeline, identity: Identity, cache: EmbedsCache
    ) -> None:
        self.prior = prior
        self.decoder = decoder
        self.identity = identity
        self.cache = cache

    def run(self, request: Request) -> Iterator[Advance | Notice | Made]:
        """Make the blend, a picture for each variation, telling of each step; closing the iterator cancels it.

        Raises:
            BlendError: the request has no meaning; the message names the value. Raised before any work, except where
                only the embeddings show it (on the sphere, directions that cancel out).
        """
        check(request)
        self._check_embeds(request)
        self._check_steps(request)
        yield from self._notices(request)
        left = self._plan(request)
        for event in self._work(request):
            if isinstance(event, Made):
                yield event
                continue
            if event.finished:
                left[event.stage] -= 1
            yield Advance(event.stage, event.finished, dict(left), event.variation, event.predicted_latents)

    def preview(self, predicted_latents: Array) -> Image.Image | None:
        """A small picture of where the denoising is heading: the predicted latents, averaged down and decoded.

        None where the memory for models is too small to decode without dropping the UNet in the midst of its steps.
        """
        if not self.decoder.decodes_while_denoising:
            return None
        return to_pil(self.decoder.decode(_small(predicted_latents)))[0]

    def _check_embeds(self, request: Request) -> None:
        width = self.prior.embedding_dim
        for index, item in enumerate(request.items):
            if isinstance(item, Embeds) and item.values.shape != (width,):
                raise BlendError(
                    f"the embedding of item {index + 1} has the shape {item.values.shape}, and this model's have "
                    f"({width},): it was made by another model"
                )

    def _check_steps(self, request: Request) -> None:
        for name, pipeline in (("prior_steps", self.prior), ("steps", self.decoder)):
            trained = pipeline.scheduler.config.num_train_timesteps
            if getattr(request, name) > trained:
                raise BlendError(f"{name} is {getattr(request, name)}: this model was trained with {trained} steps")

    def _notices(self, request: Request) -> Iterator[Notice]:
        for text in dict.fromkeys(_texts(request)):
            if cut := self.prior.truncated_text(text):
                yield _left_out(f"the prompt {shortened(text, 40)}", cut)
        if cut := self.decoder.truncated_text(request.decoder_prompt):
            yield _left_out("the decoder prompt", cut)

    def _plan(self, request: Request) -> dict[str, int]:
        """Units of work by stage, given what the cache holds."""
        texts = {self._text_key(text, request) for text in _texts(request)}
        pictures = {self._picture_key(item) for item in request.items if isinstance(item, Picture)}
        conditions = {self._decoder_key(request)} | (set() if request.negative else {self._zero_key()})
        return {
            "loading": 0,
            "encoding": sum(key not in self.cache for key in pictures | conditions),
            "prior": request.prior_steps * sum(key not in self.cache for key in texts),
            "denoising": request.steps * request.count,
            "decoding": request.count,
        }

    def _work(self, request: Request) -> Generator[_Unit | Made, None, None]:
        embeds = []
        for item in request.items:
            embeds.append((yield from self._embed(item, request)))
        image_embeds = mixing.blended(np.stack(embeds), _weights(request), request.blending, request.normalise)
        negative_embeds = yield from self._negative(request)
        conditioning = yield from self._condition(request)
        described = [_describe(item, embed) for item, embed in zip(request.items, embeds, strict=True)]
        for variation in range(request.variation, request.variation + request.count):
            yield from _load(self.decoder.parts_of_denoising)
            latents = yield from self._denoise(request, variation, conditioning, image_embeds, negative_embeds)
            yield from _load(self.decoder.parts_of_decoding)
            yield _Unit("decoding", finished=False, variation=variation)
            image = crop_centre(to_pil(self.decoder.decode(latents))[0], request.width, request.height)
            yield _Unit("decoding", variation=variation)
            yield Made(image, _recipe(request, described, variation, self.identity))

    # --- embedding an item -----------------------------------------------------------------------------------

    def _embed(self, item: Item, request: Request) -> Generator[_Unit, None, Array]:
        """The image embedding (D,) of an item.

        A prompt of weight 0 gets none: zeros, which no blend looks at. A picture does, since a recipe must hold it.
        """
        if isinstance(item, Text) and not item.weight:
            return np.zeros(self.prior.embedding_dim, np.float32)
        if isinstance(item, Text):
            return (yield from self._embed_text(item.text, request))
        if isinstance(item, Picture):
            return (yield from self._embed_picture(item))
        return item.values

    def _embed_text(self, text: str, request: Request) -> Generator[_Unit, None, Array]:
        """The prior's embedding (D,) of a prompt, guided away from the empty prompt, from the prompt's own stream."""
        key = self._text_key(text, request)
        if found := self.cache.get(key):
            return found[0]
        yield from _load(self.prior.parts_of_text)
        conditioning = self.prior.condition(text, request.prior_guidance_scale)
        yield from _load(self.prior.parts_of_sampling)
        generator = _stream(request.seed, f"text {text}")
        steps = self.prior.sample(
            conditioning,
            draw_noise((1, self.prior.embedding_dim), generator),
            generator=generator,
            num_inference_steps=request.prior_steps,
            guidance_scale=request.prior_guidance_scale,
        )
        embeds = yield from _tell("prior", steps)
        self.cache.put(key, (embeds[0],))
        return embeds[0]

    def _embed_picture(self, item: Picture) -> Generator[_Unit, None, Array]:
        """The vision encoder's embedding (D,) of a picture as the item says to show it."""
        key = self._picture_key(item)
        if found := self.cache.get(key):
            return found[0]
        yield from _load(self.prior.parts_of_image)
        square = fit_square(item.image, self.prior.image_size, item.fit, item.backdrop)
        embeds = self.prior.encode_image(square)
        self.cache.put(key, (embeds[0],))
        yield _Unit("encoding")
        return embeds[0]

    def _negative(self, request: Request) -> Generator[_Unit, None, Array]:
        """What guidance leads away from (D,): the prior's embedding of the negative prompt, or of no picture at all."""
        if request.negative:
            return (yield from self._embed_text(request.negative, request))
        key = self._zero_key()
        if found := self.cache.get(key):
            return found[0]
        yield from _load(self.prior.parts_of_image)
        embeds = self.prior.zero_embeds(1)
        self.cache.put(key, (embeds[0],))
        yield _Unit("encoding")
        return embeds[0]

    # --- denoising -------------------------------------------------------------------------------------------

    def _condition(self, request: Request) -> Generator[_Unit, None, TextConditioning]:
        """What the decoder is told in words: to lead away from the empty prompt, towards the decoder prompt."""
        key = self._decoder_key(request)
        if found := self.cache.get(key):
            return TextConditioning(*found)
        yield from _load(self.decoder.parts_of_text)
        conditioning = self.decoder.encode_prompt(["", request.decoder_prompt])
        self.cache.put(key, tuple(conditioning))
        yield _Unit("encoding")
        return conditioning

    def _denoise(
        self,
        request: Request,
        variation: int,
        conditioning: TextConditioning,
        image_embeds: Array,
        negative_embeds: Array,
    ) -> Generator[_Unit, None, Array]:
        """Latents (1, 4, h, w) of one variation, from the variation's own stream."""
        generator = _stream(request.seed, f"variation {variation}")
        shape = (1, *self.decoder.latent_shape(request.height, request.width))
        steps = self.decoder.denoise(
            conditioning if is_guided(request.guidance_scale) else conditioning.rows([1]),
            image_embeds[None],
            negative_embeds[None],
            initial_latents(shape, None, generator, self.decoder.scheduler),
            generator=generator,
            num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale,
        )
        return (yield from _tell("denoising", steps, variation))

    # --- what things are kept under --------------------------------------------------------------------------

    def _text_key(self, text: str, request: Request) -> Hashable:
        return (self.identity, "text", text, request.seed, request.prior_steps, request.prior_guidance_scale)

    def _picture_key(self, item: Picture) -> Hashable:
        return (self.identity, "picture", picture_hash(item.image), item.fit, item.backdrop)

    def _zero_key(self) -> Hashable:
        return (self.identity, "no picture")

    def _decoder_key(self, request: Request) -> Hashable:
        return (self.identity, "decoder prompt", request.decoder_prompt)


def _left_out(what: str, cut: str) -> Notice:
    return Notice(f"{what} is longer than the model reads; this was left out: {shortened(cut)}")


def _load(parts: Iterable[Resident[Any]]) -> Generator[_Unit, None, None]:
    """Load what is not in memory, and say so before each."""
    for part in parts:
        if not part.loaded:
            yield _Unit("loading", finished=False)
            part.get()


def _tell(stage: Stage, steps: Steps, variation: int = 0) -> Generator[_Unit, None, Array]:
    """Run a denoising generator to its end, with a unit of work for each step."""
    yield _Unit(stage, finished=False, variation=variation)
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        yield _Unit(stage, True, variation, step.pred_original_sample if stage == "denoising" else None)


def check(request: Request) -> None:
    """Refuse a request that has no meaning.

    Raises:
        BlendError: the message names the value.
    """
    mixing.check_blend(_weights(request), request.blending, request.normalise)
    for name in ("width", "height", "steps", "prior_steps", "count"):
        if getattr(request, name) < 1:
            raise BlendError(f"{name} is {getattr(request, name)}: it must be at least 1")
    for name in ("seed", "variation"):
        if getattr(request, name) < 0:
            raise BlendError(f"{name} is {getattr(request, name)}: it must not be negative")
    for item in request.items:
        if isinstance(item, Picture) and item.fit == "crop":
            _check_crop(item)


def _check_crop(item: Picture) -> None:
    try:
        check_not_too_narrow(item.image)
    except PictureError as exc:
        raise BlendError(f"{item.label or 'a picture'}: {exc}") from exc


def picture_hash(image: Image.Image) -> str:
    """SHA-256 of a picture's size, mode and pixels."""
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height} ".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _weights(request: Request) -> list[float]:
    return [item.weight for item in request.items]


def _texts(request: Request) -> list[str]:
    """All prompts that the prior has to embed."""
    texts = [item.text for item in request.items if isinstance(item, Text) and item.weight]
    return [*texts, request.negative] if request.negative else texts


def _stream(seed: int, name: str) -> np.random.Generator:
    """The random numbers of `seed` that belong to `name` alone."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), np.uint32)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *map(int, words)])))


def _small(latents: Array) -> Array:
    """latents (1, C, h, w) averaged over square blocks, cut to whole blocks: at least one, whatever the shape."""
    _, channels, height, width = latents.shape
    block = min(-(-max(height, width) // _PREVIEW_LATENTS), height, width)
    rows, columns = height // block, width // block
    whole = latents[:, :, : rows * block, : columns * block]
    return whole.reshape(1, channels, rows, block, columns, block).mean(axis=(3, 5))


def _describe(item: Item, embeds: Array) -> dict[str, Any]:
    """An item in a recipe: a prompt as itself, a picture as what the model saw in it, so that no file is needed."""
    if isinstance(item, Text):
        return {"text": item.text, "weight": item.weight}
    values = base64.b64encode(np.asarray(embeds, "<f4").tobytes()).decode()
    described = {"embeds": values, "weight": item.weight, "label": item.label}
    if isinstance(item, Picture):
        described |= {"picture": picture_hash(item.image), "fit": item.fit}
    return described


def _recipe(request: Request, items: list[dict[str, Any]], variation: int, identity: Identity) -> dict[str, Any]:
    return {
        "recipe": RECIPE_VERSION,
        "items": items,
        "width": request.width,
        "height": request.height,
        "steps": request.steps,
        "guidance": request.guidance_scale,
        "prior_steps": request.prior_steps,
        "prior_guidance": request.prior_guidance_scale,
        "negative": request.negative,
        "decoder_prompt": request.decoder_prompt,
        "seed": request.seed,
        "variation": variation,
        "blending": request.blending,
        "normalise": request.normalise,
        "model": identity.model,
        "model_hash": identity.model_hash,
        "precision": identity.precision,
        "device": identity.device,
        "version": version("kandinsky-blend"),
    }
