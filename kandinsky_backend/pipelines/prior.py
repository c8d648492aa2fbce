"""KandinskyPriorPipeline: from prompts and pictures to CLIP image embeddings. See pipelines/__init__.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn
from PIL import Image

from kandinsky_backend.checkpoint import Checkpoint
from kandinsky_backend.images import ClipImageProcessor, composite, open_picture
from kandinsky_backend.models import clip, prior
from kandinsky_backend.pipelines.base import ModelFiles, host_array, scheduler_of, to_host
from kandinsky_backend.pipelines.checks import (
    Prompt,
    check_as_many,
    check_at_least_1,
    check_is_number,
    check_is_text,
    check_items,
    check_output_type,
    texts_of,
)
from kandinsky_backend.pipelines.outputs import KandinskyPriorPipelineOutput
from kandinsky_backend.pipelines.prompts import PromptPipeline
from kandinsky_backend.residency import Resident
from kandinsky_backend.sampling import (
    Array,
    Steps,
    TextConditioning,
    denoise,
    guide,
    initial_latents,
    is_guided,
    weighted_sum,
)
from kandinsky_backend.schedulers import RandomGenerator, Scheduler, draw_noise


@dataclass(frozen=True)
class _PriorRun:
    """The options of a run; the names are those of KandinskyPriorPipeline's parameters."""

    num_images_per_prompt: int
    num_inference_steps: int
    generator: RandomGenerator
    latents: npt.NDArray[Any] | None
    guidance_scale: float


class KandinskyPriorPipeline(PromptPipeline):
    """From prompts and pictures to CLIP image embeddings."""

    _models: ClassVar = {
        "prior": ModelFiles(prior.PriorTransformer, prior.PriorTransformerConfig, prior.IGNORED_KEYS),
        "image_encoder": ModelFiles(clip.CLIPVisionModelWithProjection, clip.CLIPVisionConfig, clip.IGNORED_KEYS),
        "text_encoder": ModelFiles(clip.CLIPTextModelWithProjection, clip.CLIPTextConfig, clip.IGNORED_KEYS),
    }
    _others: ClassVar = {
        "tokenizer": Checkpoint.tokenizer,
        "scheduler": scheduler_of,
        "image_processor": lambda checkpoint, name: ClipImageProcessor.from_dict(checkpoint.config(name)),
    }

    def __init__(
        self,
        prior: Any,
        image_encoder: Any,
        text_encoder: Any,
        tokenizer: Any,
        scheduler: Scheduler,
        image_processor: ClipImageProcessor,
    ) -> None:
        super().__init__(tokenizer, scheduler, prior=prior, image_encoder=image_encoder, text_encoder=text_encoder)
        self.image_processor = image_processor

    @property
    def max_tokens(self) -> int:
        return int(self._config("prior").num_embeddings)

    @property
    def image_size(self) -> int:
        """Side in pixels of the square that the image encoder sees."""
        return int(self._config("image_encoder").image_size)

    def __call__(
        self,
        prompt: Prompt,
        negative_prompt: Prompt | None = None,
        num_images_per_prompt: int = 1,
        num_inference_steps: int = 25,
        generator: RandomGenerator = None,
        latents: Tensor | npt.NDArray[Any] | None = None,
        guidance_scale: float = 4.0,
        output_type: str = "ms",
        return_dict: bool = False,
    ) -> KandinskyPriorPipelineOutput:
        """Image embeddings of prompts.

        Args:
            prompt: P prompts.
            negative_prompt: what to lead away from, as many as prompts; None: the empty prompt.
            num_images_per_prompt: N.
            num_inference_steps: of the prior's scheduler.
            generator: draws the noise: the first latents, then once each step but the last. A list draws each row.
            latents: the first latents (P * N, D), or with a negative prompt (2 * P * N, D), instead of drawn ones.
            guidance_scale: above 1: classifier-free guidance.
            output_type: "ms" for Tensors, "np" for arrays; float32 both.
            return_dict: has no effect: the result is a tuple that has names.

        Returns:
            image_embeds (P * N, D) and negative_image_embeds (P * N, D): the prior's of the negative prompt, or
            without one the image encoder's of no picture at all.

        Raises:
            TypeError, ValueError: a parameter is of another type, or out of its range.
        """
        check_output_type(output_type, "ms", "np")
        run = self._run_options(num_images_per_prompt, num_inference_steps, generator, latents, guidance_scale)
        prompts = texts_of("prompt", prompt)
        negatives = None if negative_prompt is None else texts_of("negative_prompt", negative_prompt)
        embeds = self._embed(prompts, negatives, run)
        both = (embeds, self.zero_embeds(len(embeds))) if negatives is None else np.split(embeds, 2)
        return KandinskyPriorPipelineOutput(*(_output(part, output_type) for part in both))

    def interpolate(
        self,
        images_and_prompts: Sequence[str | Image.Image | Tensor],
        weights: Sequence[float],
        num_images_per_prompt: int = 1,
        num_inference_steps: int = 25,
        generator: RandomGenerator = None,
        latents: Tensor | npt.NDArray[Any] | None = None,
        negative_prior_prompt: str | None = None,
        negative_prompt: str = "",
        guidance_scale: float = 4.0,
    ) -> KandinskyPriorPipelineOutput:
        """The weighted sum of the image embeddings of prompts and pictures.

        Args:
            images_and_prompts: a prompt is embedded by the prior, guided away from `negative_prior_prompt`; a picture
                by the image encoder, transparency composited on white; a Tensor is preprocessed pixels (1, 3, S, S).
            weights: one an item, neither normalised nor clamped.
            num_images_per_prompt: N: how many embeddings, each blended of samples of its own.
            negative_prompt: a prompt to lead away from.
            generator, latents, num_inference_steps, guidance_scale: of each run of the prior: see `__call__`.

        Returns:
            image_embeds (N, D), and negative_image_embeds (N, D): the prior's of `negative_prompt`; if that is empty
            the prior's of `negative_prior_prompt`; without either the image encoder's of no picture at all. Tensors.

        Raises:
            TypeError, ValueError: a parameter is of another type, or out of its range.
        """
        check_items(images_and_prompts, weights)
        run = self._run_options(num_images_per_prompt, num_inference_steps, generator, latents, guidance_scale)
        check_is_text("negative_prompt", negative_prompt)
        if negative_prior_prompt is not None:
            check_is_text("negative_prior_prompt", negative_prior_prompt)
        embeds = [self._embed_item(item, negative_prior_prompt, run) for item in images_and_prompts]
        blended = np.stack([weighted_sum(np.stack(rows), weights) for rows in zip(*embeds, strict=True)])
        negative = self._embed_negative(negative_prompt, negative_prior_prompt, run)
        return KandinskyPriorPipelineOutput(Tensor(blended), Tensor(negative))

    # --- the pieces ------------------------------------------------------------------------------------------

    @property
    def parts_of_sampling(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that sampling an image embedding needs."""
        return (self._parts["prior"].resident,)

    @property
    def parts_of_image(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that embedding a picture needs."""
        return (self._parts["image_encoder"].resident,)

    def denoise(
        self,
        conditioning: TextConditioning,
        latents: Array,
        *,
        generator: RandomGenerator,
        num_inference_steps: int,
        guidance_scale: float,
    ) -> Steps:
        """Denoise latents (B, D); `to_embeds` makes image embeddings of the last ones. Nothing runs before a step does.

        Args:
            conditioning: of 2 * B texts under guidance, else of B.

        Raises:
            ValueError: the scheduler has no run of so many steps, or the guidance scale is not a finite number.
        """
        scheduler, guided = self._scheduler_for(num_inference_steps), is_guided(guidance_scale)

        @cache
        def prefix() -> Any:
            return self.prior.encode_text(*map(Tensor, conditioning))

        def predict(latents: Array, timestep: int) -> Array:
            doubled = np.concatenate([latents, latents]) if guided else latents
            output = to_host(self.prior(Tensor(doubled), timestep, prefix()))
            return guide(output, guidance_scale) if guided else output

        return denoise(scheduler, predict, latents, generator)

    def to_embeds(self, latents: Array) -> Array:
        """Image embeddings (B, D) of denoised latents (B, D)."""
        return to_host(self.prior.post_process_latents(Tensor(latents)))

    def encode_image(self, image: Image.Image | Tensor | npt.NDArray[Any]) -> Array:
        """The image encoder's embedding (1, D) of a picture, or of preprocessed pixels (1, 3, S, S).

        Raises:
            ValueError: the pixels have another shape.
        """
        if isinstance(image, Image.Image):
            pixels = self.image_processor(composite(open_picture(image), "white"))
        else:
            pixels = to_host(image) if isinstance(image, Tensor) else np.asarray(image, np.float32)
        expected = (1, 3, self.image_size, self.image_size)
        if pixels.shape != expected:
            raise ValueError(f"preprocessed pixels have the shape {pixels.shape}: give {expected}")
        return to_host(self.image_encoder(Tensor(pixels)))

    def zero_embeds(self, count: int) -> Array:
        """The image encoder's embedding of no picture at all (pixels of zero, normalised), `count` times."""
        pixels = np.zeros((1, 3, self.image_size, self.image_size), np.float32)
        return np.repeat(self.encode_image(pixels), count, axis=0)

    def _embed(self, prompts: list[str], negatives: list[str] | None, run: _PriorRun) -> Array:
        """Embeddings of prompts and, where there are negatives, behind them theirs: the prior runs on all at once."""
        texts, away = prompts, [""] * len(prompts)
        if negatives is not None:
            check_as_many(prompts, negatives)
            texts, away = prompts + negatives, negatives * 2
        shape = (len(texts) * run.num_images_per_prompt, self.embedding_dim)
        latents = initial_latents(shape, run.latents, run.generator, self.scheduler)
        steps = self.denoise(
            self.encode_guided(texts, away, run.num_images_per_prompt, run.guidance_scale),
            latents,
            generator=run.generator,
            num_inference_steps=run.num_inference_steps,
            guidance_scale=run.guidance_scale,
        )
        return self.to_embeds(self._finish(steps, run.num_inference_steps))

    def _embed_item(self, item: str | Image.Image | Tensor, away: str | None, run: _PriorRun) -> Array:
        """(N, D): a prompt gives N samples, a picture the same embedding N times."""
        if isinstance(item, str):
            embeds = self._embed([item], None if away is None else [away], run)
            return embeds[: run.num_images_per_prompt]
        return np.repeat(self.encode_image(item), run.num_images_per_prompt, axis=0)

    def _embed_negative(self, negative: str, away: str | None, run: _PriorRun) -> Array:
        """(N, D): see `interpolate`."""
        if away is not None:
            embeds, embeds_of_away = np.split(self._embed([negative], [away], run), 2)
            return embeds if negative else embeds_of_away
        if negative:
            return self._embed([negative], None, run)
        self._skip_run(run)
        return self.zero_embeds(run.num_images_per_prompt)

    def _skip_run(self, run: _PriorRun) -> None:
        """Draw the noise of a run that the reference makes for nothing: the generator is left in the same state."""
        if run.generator is None:
            return
        scheduler = self._scheduler_for(run.num_inference_steps)
        draws = sum(map(scheduler.adds_noise, scheduler.timesteps)) + (run.latents is None)
        for _ in range(draws):
            draw_noise((run.num_images_per_prompt, self.embedding_dim), run.generator)

    def _run_options(
        self,
        num_images_per_prompt: int,
        num_inference_steps: int,
        generator: RandomGenerator,
        latents: Tensor | npt.NDArray[Any] | None,
        guidance_scale: float,
    ) -> _PriorRun:
        check_at_least_1("num_images_per_prompt", num_images_per_prompt)
        self._scheduler_for(num_inference_steps)  # refuses an impossible count before any work
        check_is_number("guidance_scale", guidance_scale)
        is_guided(guidance_scale)
        given = None if latents is None else host_array("latents", latents)
        return _PriorRun(num_images_per_prompt, num_inference_steps, generator, given, guidance_scale)

    def _run_text_encoder(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_encoder(input_ids)

    @property
    def embedding_dim(self) -> int:
        """D, the width of an image embedding."""
        return int(self._config("prior").embedding_dim)

    @property
    def prior(self) -> Any:
        return self._get("prior")

    @property
    def image_encoder(self) -> Any:
        return self._get("image_encoder")


def _output(embeds: Array, output_type: str) -> Any:
    return Tensor(embeds) if output_type == "ms" else embeds
