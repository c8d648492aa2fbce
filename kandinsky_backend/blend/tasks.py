"""The tasks of a blend: each needs some models in memory, and then does a known number of units of work."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image

from kandinsky_backend.blend import mixing
from kandinsky_backend.blend.cache import Arrays, EmbedsCache, key_of
from kandinsky_backend.blend.recipe import Identity
from kandinsky_backend.blend.redrawing import Redrawing
from kandinsky_backend.blend.request import (
    BlendRequest,
    Item,
    Picture,
    Redraw,
    Text,
    picture_hash,
)
from kandinsky_backend.blend.roles import ImageDecoder, ImagePrior, Parts
from kandinsky_backend.blend.upscaling import Upscaling
from kandinsky_backend.images import crop_centre, fit_square, to_pil
from kandinsky_backend.sampling import (
    Array,
    Course,
    KnownRegion,
    Steps,
    TextConditioning,
    initial_latents,
    is_guided,
)
from kandinsky_backend.schedulers import draw_noise
from plugin_client.wire.settings import strength_steps

Stage = Literal["loading", "encoding", "prior", "denoising", "decoding"]


@dataclass
class Workspace:
    """The state that the tasks of a run share: request, model, and the embeddings that were found or made so far."""

    prior: ImagePrior
    decoder: ImageDecoder
    identity: Identity
    cache: EmbedsCache  # by content, for later runs
    request: BlendRequest
    redrawing: Redrawing | None = None  # of a request that redraws a picture
    source_latents: Array | None = None  # (1, C, h, w) of its canvas
    upscaling: Upscaling | None = None  # of a request that upscales one
    embeds: dict[str, Arrays] = field(default_factory=dict)  # of this run

    def keep(self, key: str, arrays: Arrays) -> None:
        """Keep what a task has made, for this run and for later ones."""
        self.embeds[key] = arrays
        self.cache.put(key, arrays)

    @property
    def is_embedded(self) -> bool:
        """Whether all embeddings of this run are there."""
        return all(self.embeds.values())

    @cached_property
    def item_embeds(self) -> list[Array]:
        """The image embedding (D,) of each item.

        A prompt of weight 0 gets none: zeros, which no blend looks at. A picture does, since a recipe must hold it.
        """
        return [self._embeds_of(item) for item in self.request.items]

    @cached_property
    def image_embeds(self) -> Array:
        """The blend (D,)."""
        settings = self.request.settings
        shares = mixing.shares(self.request.weights, settings.blending, settings.normalise)
        return mixing.blended(np.stack(self.item_embeds), shares, settings.blending)

    @cached_property
    def known(self) -> KnownRegion | None:
        """The part of the source that stays, where only a part of it is repainted."""
        if self.redrawing is None or self.redrawing.mask is None:
            return None
        assert self.source_latents is not None, "the source is encoded first"
        return KnownRegion(self.source_latents, self.redrawing.keep(self.source_latents.shape))

    @property
    def given_picture(self) -> Image.Image | None:
        """The picture that comes back where no step runs; None where the run does not start from one."""
        if self.upscaling is not None:
            return self.upscaling.enlarged
        return self.redrawing.source if self.redrawing else None

    def first_step(self) -> int:
        """The index of the first step that runs; as many as there are, where the source is given back as it is."""
        count = self.decoder.step_count(self.request.settings.steps)
        if isinstance(self.request, Redraw):
            return count - strength_steps(count, self.request.strength)
        return 0

    @property
    def negative_embeds(self) -> Array:
        """The embedding (D,) that guidance leads away from: of the negative prompt, or of no picture at all."""
        negative = self.request.settings.negative
        return self.embeds[self.text_key(negative) if negative else self.nothing_key][0]

    @property
    def conditioning(self) -> TextConditioning | None:
        """The decoder's conditioning: away from the empty prompt, towards the decoder prompt."""
        if not self.decoder.parts_of_text:
            return None
        both = TextConditioning(*self.embeds[self.decoder_prompt_key])
        return both if is_guided(self.request.settings.guidance) else both.rows([1])

    def _embeds_of(self, item: Item) -> Array:
        match item:
            case Text():
                if not item.weight:
                    return np.zeros(self.prior.embedding_dim, np.float32)
                return self.embeds[self.text_key(item.text)][0]
            case Picture():
                return self.embeds[self.picture_key(item)][0]
        return item.values

    # --- the keys under which embeddings are kept: all that they depend on ------------------------------------

    def text_key(self, text: str) -> str:
        """The key of a prompt's image embedding."""
        settings = self.request.settings
        return key_of(self.identity, "text", text, settings.seed, settings.prior_steps, settings.prior_guidance)

    def picture_key(self, item: Picture) -> str:
        """The key of a picture's embedding."""
        return key_of(self.identity, "picture", picture_hash(item.image), item.fit, item.backdrop)

    @property
    def nothing_key(self) -> str:
        """The key of the embedding of no picture at all."""
        return key_of(self.identity, "no picture")

    @property
    def decoder_prompt_key(self) -> str:
        """The key of the decoder's conditioning."""
        return key_of(self.identity, "decoder prompt", self.request.settings.decoder_prompt)


class Task(ABC):
    """A part of a run. `start` is called once, when `parts` are loaded, then `advance` as often as there are units."""

    stage: ClassVar[Stage]
    units = 1
    variation = 0
    image: Image.Image | None = None  # of a task that makes one, when it is done

    def __init__(self, space: Workspace) -> None:
        self.space = space

    @property
    @abstractmethod
    def parts(self) -> Parts:
        """The models that it needs."""

    def start(self) -> None:  # noqa: B027  # most have nothing to prepare
        """Prepare for the first unit."""

    @abstractmethod
    def advance(self) -> Array | None:
        """Do a unit of work. While denoising a picture: the predicted noiseless latents (1, C, h, w).

        Of a picture that is redrawn these are without what was put around it to fill the canvas.
        """


class EncodePrompt(Task):
    """Encode a prompt for the prior. It counts as no unit: it takes a fraction of one of the prior's steps."""

    stage = "prior"
    units = 0

    def __init__(self, space: Workspace, text: str) -> None:
        super().__init__(space)
        self.text = text
        self.conditioning: TextConditioning | None = None

    @property
    def parts(self) -> Parts:
        return self.space.prior.parts_of_text

    def start(self) -> None:
        guidance = self.space.request.settings.prior_guidance
        self.conditioning = self.space.prior.encode_guided([self.text], [""], 1, guidance)

    def advance(self) -> None:
        raise AssertionError("there are no units")


class EmbedPrompt(Task):
    """Run the prior on an encoded prompt, guided away from the empty one, from the prompt's own random numbers."""

    stage = "prior"

    def __init__(self, space: Workspace, encoded: EncodePrompt) -> None:
        super().__init__(space)
        self.encoded = encoded
        self.units = space.prior.step_count(space.request.settings.prior_steps)

    @property
    def parts(self) -> Parts:
        return self.space.prior.parts_of_sampling

    def start(self) -> None:
        assert self.encoded.conditioning is not None, "the prompt is encoded first"
        prior, settings = self.space.prior, self.space.request.settings
        generator = random_numbers(settings.seed, f"text {self.encoded.text}")
        self._steps: Steps = prior.denoise(
            self.encoded.conditioning,
            draw_noise((1, prior.embedding_dim), generator),
            generator=generator,
            num_inference_steps=settings.prior_steps,
            guidance_scale=settings.prior_guidance,
        )

    def advance(self) -> None:
        step = next(self._steps)
        if step.index + 1 == self.units:
            embeds = self.space.prior.to_embeds(step.latents)
            self.space.keep(self.space.text_key(self.encoded.text), (embeds[0],))


class EmbedPicture(Task):
    """Run the image encoder on a picture as the item says to show it."""

    stage = "encoding"

    def __init__(self, space: Workspace, item: Picture) -> None:
        super().__init__(space)
        self.item = item

    @property
    def parts(self) -> Parts:
        return self.space.prior.parts_of_image

    def advance(self) -> None:
        prior, item = self.space.prior, self.item
        embeds = prior.encode_image(fit_square(item.image, prior.image_size, item.fit, item.backdrop))
        self.space.keep(self.space.picture_key(item), (embeds[0],))


class EmbedNothing(Task):
    """Run the image encoder on no picture at all, to lead away from."""

    stage = "encoding"

    @property
    def parts(self) -> Parts:
        return self.space.prior.parts_of_image

    def advance(self) -> None:
        self.space.keep(self.space.nothing_key, (self.space.prior.zero_embeds(1)[0],))


class EncodeDecoderPrompt(Task):
    """Encode the decoder prompt, and the empty one to lead away from."""

    stage = "encoding"

    @property
    def parts(self) -> Parts:
        return self.space.decoder.parts_of_text

    def advance(self) -> None:
        texts = ["", self.space.request.settings.decoder_prompt]
        self.space.keep(self.space.decoder_prompt_key, tuple(self.space.decoder.encode_prompt(texts)))


class EncodeSource(Task):
    """Make latents of the picture that is redrawn."""

    stage = "encoding"

    @property
    def parts(self) -> Parts:
        return self.space.decoder.parts_of_decoding

    def advance(self) -> None:
        assert self.space.redrawing is not None, "there is a picture"
        self.space.source_latents = self.space.decoder.encode(self.space.redrawing.canvas)


class Denoise(Task):
    """Denoise the latents of one variation, from the variation's own random numbers."""

    stage = "denoising"

    def __init__(self, space: Workspace, variation: int) -> None:
        super().__init__(space)
        self.variation = variation
        self.units = space.decoder.step_count(space.request.settings.steps)
        self.latents: Array | None = None

    @property
    def parts(self) -> Parts:
        return self.space.decoder.parts_of_denoising

    def start(self) -> None:
        decoder, settings = self.space.decoder, self.space.request.settings
        generator = self._random_numbers()
        self._steps: Steps = decoder.denoise(
            self.space.conditioning,
            self.space.image_embeds[None],
            self.space.negative_embeds[None],
            self._first_latents(generator),
            generator=generator,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
            **self._course(),
        )

    def advance(self) -> Array:
        step = next(self._steps)
        self.latents = step.latents
        if step.index + 1 == step.count:
            self._steps.close()  # which lets go of what it holds: there may be hundreds of tiles
        return step.pred_original_sample

    def _random_numbers(self) -> np.random.Generator:
        return random_numbers(self.space.request.settings.seed, f"variation {self.variation}")

    def _first_latents(self, generator: np.random.Generator) -> Array:
        decoder, settings = self.space.decoder, self.space.request.settings
        shape = (1, *decoder.latent_shape(settings.height, settings.width))
        return initial_latents(shape, None, generator, decoder.scheduler)

    def _course(self) -> dict[str, Any]:
        """Options of `denoise` that only pictures have that are redrawn."""
        return {}


class DenoiseSource(Denoise):
    """Denoise the noised latents of a picture, or what is under its mask."""

    def __init__(self, space: Workspace, variation: int, resamplings: int) -> None:
        super().__init__(space, variation)
        self.first = space.first_step()
        self.resamplings = resamplings
        self.units = (self.units - self.first) * resamplings

    def advance(self) -> Array:
        assert self.space.redrawing is not None, "there is a source"
        return self.space.redrawing.of_source(super().advance())

    def _first_latents(self, generator: np.random.Generator) -> Array:
        latents = self.space.source_latents
        assert latents is not None, "the source is encoded first"
        noise = draw_noise(latents.shape, generator)
        if not self.first and self.space.known is not None:
            return noise  # nothing of what is repainted shows through
        return self.space.decoder.noised(latents, noise, self.space.request.settings.steps, self.first)

    def _course(self) -> dict[str, Any]:
        known = self.space.known
        return {"course": Course(self.first, known, self.resamplings), "shown": known}


class Decode(Task):
    """Make the picture of denoised latents, cropped to the asked size."""

    stage = "decoding"

    def __init__(self, space: Workspace, denoised: Denoise) -> None:
        super().__init__(space)
        self.denoised = denoised
        self.variation = denoised.variation

    @property
    def parts(self) -> Parts:
        return self.space.decoder.parts_of_decoding

    def advance(self) -> None:
        assert self.denoised.latents is not None, "the latents are denoised first"
        settings, redrawing = self.space.request.settings, self.space.redrawing
        [image] = to_pil(self.space.decoder.decode(self.denoised.latents))
        image = crop_centre(image, settings.width, settings.height)
        self.image = image if redrawing is None else redrawing.result(image)


class GiveBack(Task):
    """Give a picture as it is, of which nothing is redrawn."""

    stage = "decoding"

    def __init__(self, space: Workspace, variation: int, given: Image.Image) -> None:
        super().__init__(space)
        self.variation = variation
        self.given = given

    @property
    def parts(self) -> Parts:
        return ()

    def advance(self) -> None:
        self.image = self.given


def random_numbers(seed: int, name: str) -> np.random.Generator:
    """The random numbers of `seed` that belong to `name` alone."""
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), np.uint32)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *map(int, words)])))
