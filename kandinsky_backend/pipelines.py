"""KandinskyPriorPipeline and KandinskyPipeline: the API of mindone.diffusers, and the pieces that blend.py is made of.

Parameters, defaults and results are those of diffusers 0.39 (pipelines/kandinsky/pipeline_kandinsky{,_prior}.py) and
of its port mindone.diffusers, where these two differ those of the latter; what is a bug there is none here, and
tests/backend/test_pipeline_api.py names each.

Models run on the device; what is between them, latents above all, is float32 on the host (sampling.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn
from PIL import Image

from kandinsky_backend import mixing
from kandinsky_backend.images import ClipImageProcessor, composite, open_picture, to_pil
from kandinsky_backend.models import clip, movq, prior, unet, xlm_roberta
from kandinsky_backend.pipeline_base import (
    ModelFiles,
    Pipeline,
    Prompt,
    check_as_many,
    check_at_least_1,
    check_output_type,
    dtype_of,
    host_array,
    scheduler_of,
    texts_of,
    to_host,
)
from kandinsky_backend.residency import Resident
from kandinsky_backend.sampling import Array, Step, Steps, TextConditioning, denoise, guide, initial_latents, is_guided
from kandinsky_backend.schedulers import RandomGenerator, Scheduler, draw_noise


class KandinskyPriorPipelineOutput(NamedTuple):
    """Image embeddings (N, D), and those to lead away from (N, D)."""

    image_embeds: Any
    negative_image_embeds: Any


class ImagePipelineOutput(NamedTuple):
    """The pictures, of the output type that was asked for."""

    images: Any


@dataclass(frozen=True)
class _PriorRun:
    """How the prior runs; the names are those of KandinskyPriorPipeline's parameters."""

    num_images_per_prompt: int
    num_inference_steps: int
    generator: RandomGenerator
    latents: npt.NDArray[Any] | None
    guidance_scale: float


class KandinskyPriorPipeline(Pipeline):
    """From prompts and pictures to CLIP image embeddings."""

    _models: ClassVar = {
        "prior": ModelFiles(prior.PriorTransformer, prior.PriorTransformerConfig, prior.IGNORED_KEYS),
        "image_encoder": ModelFiles(clip.CLIPVisionModelWithProjection, clip.CLIPVisionConfig, clip.IGNORED_KEYS),
        "text_encoder": ModelFiles(clip.CLIPTextModelWithProjection, clip.CLIPTextConfig, clip.IGNORED_KEYS),
    }
    _others: ClassVar = {
        "tokenizer": lambda checkpoint: checkpoint.tokenizer("tokenizer"),
        "scheduler": lambda checkpoint: scheduler_of(checkpoint),
        "image_processor": lambda checkpoint: ClipImageProcessor.from_dict(checkpoint.config("image_processor")),
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
    ) -> KandinskyPriorPipelineOutput | tuple[Any, Any]:
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
            return_dict: a KandinskyPriorPipelineOutput instead of a plain tuple.

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
        embeds, negative_embeds = self._embed(prompts, negatives, run)
        if negative_embeds is None:
            negative_embeds = self.zero_embeds(len(embeds))
        result = KandinskyPriorPipelineOutput(*(_output(e, output_type) for e in (embeds, negative_embeds)))
        return result if return_dict else tuple(result)

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
        if len(images_and_prompts) != len(weights):
            raise ValueError(f"{len(images_and_prompts)} items and {len(weights)} weights were given: give as many")
        mixing.check_weights(weights)
        _check_items(images_and_prompts)
        run = self._run_options(num_images_per_prompt, num_inference_steps, generator, latents, guidance_scale)
        away = None if negative_prior_prompt is None else texts_of("negative_prior_prompt", negative_prior_prompt)
        negative = texts_of("negative_prompt", negative_prompt)
        embeds = [self._embed_item(item, away, run) for item in images_and_prompts]
        blended = np.stack([mixing.linear(np.stack(rows), weights) for rows in zip(*embeds, strict=True)])
        return KandinskyPriorPipelineOutput(Tensor(blended), Tensor(self._embed_negative(negative, away, run)))

    # --- the pieces ------------------------------------------------------------------------------------------

    @property
    def parts_of_text(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that embedding a text needs."""
        return self._parts["text_encoder"].resident, self._parts["prior"].resident

    @property
    def parts_of_image(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that embedding a picture needs."""
        return (self._parts["image_encoder"].resident,)

    def embed_text(
        self, text: str, *, generator: RandomGenerator, num_inference_steps: int, guidance_scale: float
    ) -> Steps:
        """One prompt's embedding (1, D), led away from the empty prompt."""
        conditioning = self._condition([text], [""], 1, guidance_scale)
        latents = draw_noise((1, self.embedding_dim), generator)
        return self.sample(
            conditioning,
            latents,
            generator=generator,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
        )

    def sample(
        self,
        conditioning: TextConditioning,
        latents: Array,
        *,
        generator: RandomGenerator,
        num_inference_steps: int,
        guidance_scale: float,
    ) -> Steps:
        """Denoise latents (B, D) to image embeddings (B, D).

        Args:
            conditioning: of 2 * B texts under guidance, else of B.
        """
        scheduler, guided = self._scheduler_for(num_inference_steps), is_guided(guidance_scale)
        prefix = self.prior.encode_text(*map(Tensor, conditioning))

        def predict(latents: Array, timestep: int) -> Array:
            doubled = np.concatenate([latents, latents]) if guided else latents
            output = to_host(self.prior(Tensor(doubled), timestep, prefix))
            return guide(output, guidance_scale) if guided else output

        latents = yield from denoise(scheduler, predict, latents, generator)
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

    def _embed(self, prompts: list[str], negatives: list[str] | None, run: _PriorRun) -> tuple[Array, Array | None]:
        """Embeddings of prompts and, where there are negatives, theirs: the prior runs on both at once."""
        texts, away = prompts, [""] * len(prompts)
        if negatives is not None:
            check_as_many(prompts, negatives)
            texts, away = prompts + negatives, negatives * 2
        shape = (len(texts) * run.num_images_per_prompt, self.embedding_dim)
        latents = initial_latents(shape, run.latents, run.generator, self.scheduler)
        steps = self.sample(
            self._condition(texts, away, run.num_images_per_prompt, run.guidance_scale),
            latents,
            generator=run.generator,
            num_inference_steps=run.num_inference_steps,
            guidance_scale=run.guidance_scale,
        )
        embeds = self._finish(steps, run.num_inference_steps)
        if negatives is None:
            return embeds, None
        positive, negative = np.split(embeds, 2)
        return positive, negative

    def _embed_item(self, item: str | Image.Image | Tensor, away: list[str] | None, run: _PriorRun) -> Array:
        """(N, D): a prompt gives N samples, a picture the same embedding N times."""
        if isinstance(item, str):
            return self._embed([item], away, run)[0]
        return np.repeat(self.encode_image(item), run.num_images_per_prompt, axis=0)

    def _embed_negative(self, negative: list[str], away: list[str] | None, run: _PriorRun) -> Array:
        """(N, D): see `interpolate`."""
        if negative == [""] and away is None:
            self._skip_run(run)
            return self.zero_embeds(run.num_images_per_prompt)
        embeds, embeds_of_away = self._embed(negative, away, run)
        return embeds if negative != [""] or embeds_of_away is None else embeds_of_away

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
        is_guided(guidance_scale)
        given = None if latents is None else host_array(latents)
        return _PriorRun(num_images_per_prompt, num_inference_steps, generator, given, guidance_scale)

    def _run_text_encoder(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_encoder(input_ids)

    @property
    def embedding_dim(self) -> int:
        """D, the width of an image embedding."""
        return int(self._config("prior").embedding_dim)

    @property
    def prior(self) -> Any:
        """The prior transformer; read from its files when first used, as are the other models."""
        return self._get("prior")

    @property
    def image_encoder(self) -> Any:
        return self._get("image_encoder")

    @property
    def text_encoder(self) -> Any:
        return self._get("text_encoder")


class KandinskyPipeline(Pipeline):
    """From image embeddings to pictures."""

    _models: ClassVar = {
        "text_encoder": ModelFiles(
            xlm_roberta.MultilingualCLIP, xlm_roberta.MultilingualCLIPConfig, xlm_roberta.IGNORED_KEYS
        ),
        "unet": ModelFiles(unet.UNet2DConditionModel, unet.UNetConfig),
        "movq": ModelFiles(movq.MoVQ, movq.MoVQConfig, renames=movq.RENAMED_LEAVES),
    }
    _others: ClassVar = {
        "tokenizer": lambda checkpoint: checkpoint.tokenizer("tokenizer"),
        "scheduler": lambda checkpoint: scheduler_of(checkpoint),
    }
    max_tokens = 77  # the text encoder could read 512; the models were trained with these

    def __init__(self, text_encoder: Any, tokenizer: Any, unet: Any, scheduler: Scheduler, movq: Any) -> None:
        super().__init__(tokenizer, scheduler, text_encoder=text_encoder, unet=unet, movq=movq)
        taken, latent = self._config("unet").in_channels, self._config("movq").latent_channels
        if taken != latent:
            raise ValueError(f"the UNet takes {taken} channels, but latents have {latent}: it is one for inpainting")

    def __call__(
        self,
        prompt: Prompt,
        image_embeds: Any,
        negative_image_embeds: Any,
        negative_prompt: Prompt | None = None,
        height: int = 512,
        width: int = 512,
        num_inference_steps: int = 100,
        guidance_scale: float = 4.0,
        num_images_per_prompt: int = 1,
        generator: RandomGenerator = None,
        latents: Tensor | npt.NDArray[Any] | None = None,
        output_type: str = "pil",
        callback: Callable[[int, int, Tensor], None] | None = None,
        callback_steps: int = 1,
        return_dict: bool = False,
    ) -> ImagePipelineOutput | tuple[Any]:
        """Pictures of image embeddings.

        Args:
            prompt: one for each row of image_embeds; a str serves all rows.
            image_embeds: (M, D), or a list of such to put one after the other: Tensors or arrays.
            negative_image_embeds: what to lead away from, of the same shape.
            negative_prompt: as many as prompts; None: the empty prompt.
            height, width: in pixels; the pictures are as large or up to 63 px larger: multiples of 64 for the
                published model.
            num_inference_steps: of the scheduler.
            guidance_scale: above 1: classifier-free guidance.
            num_images_per_prompt: N pictures of each row.
            generator: draws the first latents, then the scheduler's noise. A list draws each picture.
            latents: the first latents (M * N, 4, h, w) of `latent_size`, instead of drawn ones.
            output_type: "pil"; "np" for arrays (B, H, W, 3) in 0..1; "ms" for a Tensor (B, 3, H, W) in -1..1 as MoVQ
                gives it.
            callback: called with index, timestep and latents (a Tensor) after every `callback_steps`-th step.
            return_dict: an ImagePipelineOutput instead of a plain tuple.

        Returns:
            One thing: the pictures, M * N.

        Raises:
            TypeError, ValueError: a parameter is of another type, or out of its range.
        """
        check_output_type(output_type, "pil", "np", "ms")
        check_at_least_1("num_images_per_prompt", num_images_per_prompt)
        check_at_least_1("callback_steps", callback_steps)
        scheduler = self._scheduler_for(num_inference_steps)
        embeds, negative_embeds = self._checked_embeds(image_embeds, negative_image_embeds)
        prompts, negatives = _for_each_row(prompt, negative_prompt, len(embeds))
        shape = (len(embeds) * num_images_per_prompt, *self.latent_shape(height, width))
        given = None if latents is None else host_array(latents)
        noise = initial_latents(shape, given, generator, scheduler)
        steps = self.denoise(
            self._condition(prompts, negatives, num_images_per_prompt, guidance_scale),
            np.repeat(embeds, num_images_per_prompt, axis=0),
            np.repeat(negative_embeds, num_images_per_prompt, axis=0),
            noise,
            generator=generator,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
        )

        def on_step(step: Step) -> None:
            if callback is not None and step.index % callback_steps == 0:
                callback(step.index, step.timestep, Tensor(step.latents))

        latents = self._finish(steps, len(scheduler.timesteps), on_step)
        images = self._output_images(latents, output_type)
        return ImagePipelineOutput(images) if return_dict else (images,)

    # --- the pieces ------------------------------------------------------------------------------------------

    @property
    def parts_of_text(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that encoding a prompt needs."""
        return (self._parts["text_encoder"].resident,)

    @property
    def parts_of_image(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that making a picture of embeddings needs."""
        return self._parts["unet"].resident, self._parts["movq"].resident

    def denoise(
        self,
        conditioning: TextConditioning,
        image_embeds: Array,
        negative_image_embeds: Array,
        latents: Array,
        *,
        generator: RandomGenerator,
        num_inference_steps: int,
        guidance_scale: float,
    ) -> Steps:
        """Denoise latents (B, 4, h, w).

        Args:
            conditioning: of 2 * B texts under guidance, else of B.
            image_embeds, negative_image_embeds: (B, D).
        """
        scheduler, guided = self._scheduler_for(num_inference_steps), is_guided(guidance_scale)
        channels, dtype = latents.shape[1], dtype_of(self.unet)
        embeds = np.concatenate([negative_image_embeds, image_embeds]) if guided else image_embeds
        hidden, text, image = (
            Tensor(part).astype(dtype) for part in (conditioning.hidden_states, conditioning.text_embeds, embeds)
        )

        def predict(latents: Array, timestep: int) -> Array:
            doubled = np.concatenate([latents, latents]) if guided else latents
            output = to_host(self.unet(Tensor(doubled).astype(dtype), timestep, hidden, text, image))
            prediction, variance = output[:, :channels], output[-len(latents) :, channels:]
            if guided:
                prediction = guide(prediction, guidance_scale)
            return np.concatenate([prediction, variance], axis=1) if scheduler.predicts_variance else prediction

        return denoise(scheduler, predict, latents, generator)

    def decode(self, latents: Array) -> Array:
        """Pictures (B, H, W, 3) in 0..1 of latents (B, 4, h, w)."""
        return (self._decode(latents) * 0.5 + 0.5).clip(0, 1).transpose(0, 2, 3, 1)

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of a picture of at least `height` x `width` pixels.

        Raises:
            ValueError: a side is below 1.
        """
        return (int(self._config("unet").in_channels), *self.latent_size(height, width))

    def latent_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the latents: MoVQ shrinks by f, and the UNet needs multiples of f.

        Raises:
            ValueError: a side is below 1.
        """
        check_at_least_1("height", height)
        check_at_least_1("width", width)
        factor = self.movq_scale_factor
        return -(-height // factor**2) * factor, -(-width // factor**2) * factor

    @property
    def movq_scale_factor(self) -> int:
        """f, picture pixels a latent pixel: 8 in the published model."""
        return int(2 ** (len(self._config("movq").block_out_channels) - 1))

    def _decode(self, latents: Array) -> Array:
        """(B, 3, H, W) in about -1..1; one at a time, since it is what takes most memory."""
        movq = self.movq
        dtype = dtype_of(movq)
        return np.concatenate([to_host(movq.decode(Tensor(one[None]).astype(dtype))) for one in latents])

    def _output_images(self, latents: Array, output_type: str) -> Any:
        if output_type == "ms":
            return Tensor(self._decode(latents))
        images = self.decode(latents)
        return to_pil(images) if output_type == "pil" else images

    def _checked_embeds(self, image_embeds: Any, negative_image_embeds: Any) -> tuple[Array, Array]:
        embeds, negative_embeds = _joined(image_embeds), _joined(negative_image_embeds)
        width = self._config("unet").cross_attention_dim
        if embeds.ndim != 2 or not len(embeds) or embeds.shape[1] != width:
            raise ValueError(f"image_embeds have the shape {embeds.shape}: the UNet takes (rows, {width})")
        if negative_embeds.shape != embeds.shape:
            raise ValueError(
                f"negative_image_embeds have the shape {negative_embeds.shape}, image_embeds {embeds.shape}"
            )
        return embeds, negative_embeds

    def _run_text_encoder(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_encoder(input_ids, attention_mask)

    @property
    def text_encoder(self) -> Any:
        """The multilingual text encoder; read from its files when first used, as are the other models."""
        return self._get("text_encoder")

    @property
    def unet(self) -> Any:
        return self._get("unet")

    @property
    def movq(self) -> Any:
        return self._get("movq")


def _for_each_row(prompt: Prompt, negative_prompt: Prompt | None, rows: int) -> tuple[list[str], list[str]]:
    """Prompts and negative prompts, one for each of `rows` embeddings."""
    prompts = texts_of("prompt", prompt)
    negatives = [""] * len(prompts) if negative_prompt is None else texts_of("negative_prompt", negative_prompt)
    check_as_many(prompts, negatives)
    if isinstance(prompt, str):
        return prompts * rows, negatives * rows
    if len(prompts) != rows:
        raise ValueError(f"{len(prompts)} prompts were given for {rows} rows of image_embeds: give one for each row")
    return prompts, negatives


def _check_items(items: Sequence[Any]) -> None:
    for index, item in enumerate(items):
        if not isinstance(item, str | Image.Image | Tensor):
            raise TypeError(
                f"item {index + 1} of images_and_prompts is a {type(item).__name__}: give a str, a "
                "PIL image, or a Tensor of preprocessed pixels"
            )


def _joined(embeds: Any) -> Array:
    """One array of a Tensor or array, or of a list of such."""
    parts = embeds if isinstance(embeds, list | tuple) else [embeds]
    return np.concatenate([host_array(part) for part in parts])


def _output(embeds: Array, output_type: str) -> Any:
    return Tensor(embeds) if output_type == "ms" else embeds
