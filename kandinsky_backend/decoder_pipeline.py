"""KandinskyPipeline: from image embeddings to pictures. See pipelines.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from kandinsky_backend.images import to_pil
from kandinsky_backend.models import movq, unet, xlm_roberta
from kandinsky_backend.pipeline_base import (
    ModelFiles,
    Pipeline,
    PipelineOutput,
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
from kandinsky_backend.schedulers import RandomGenerator, Scheduler


@dataclass(frozen=True)
class ImagePipelineOutput(PipelineOutput):
    """The pictures, of the output type that was asked for."""

    images: Any


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
        "scheduler": scheduler_of,
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
    def parts_of_denoising(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that making latents of embeddings needs."""
        return (self._parts["unet"].resident,)

    @property
    def parts_of_decoding(self) -> tuple[Resident[nn.Cell], ...]:
        """The models that making a picture of latents needs."""
        return (self._parts["movq"].resident,)

    @property
    def decodes_while_denoising(self) -> bool:
        """Whether decoding between two steps leaves the UNet in memory."""
        return self._parts["movq"].resident.fits_beside(self._parts["unet"].resident)

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
        """Denoise latents (B, 4, h, w). The UNet is loaded and conditioned now, all else comes with the steps.

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
        for_unet = self.unet.condition(list(map(int, scheduler.timesteps)), hidden, text, image)

        def predict(latents: Array, timestep: int) -> Array:
            doubled = np.concatenate([latents, latents]) if guided else latents
            output = to_host(self.unet(Tensor(doubled).astype(dtype), timestep, for_unet))
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


def _joined(embeds: Any) -> Array:
    """One array of a Tensor or array, or of a list of such."""
    parts = embeds if isinstance(embeds, list | tuple) else [embeds]
    return np.concatenate([host_array(part) for part in parts])
