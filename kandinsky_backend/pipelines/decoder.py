"""KandinskyPipeline: from image embeddings to pictures. See pipelines/__init__.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from kandinsky_backend.checkpoint import Checkpoint
from kandinsky_backend.errors import CheckpointBroken
from kandinsky_backend.images import to_pil
from kandinsky_backend.models import movq, unet, xlm_roberta
from kandinsky_backend.models.unet import KeysAndValues
from kandinsky_backend.ops import plans_compute, rehearsing
from kandinsky_backend.pipelines.base import ModelFiles, dtype_of, host_array, scheduler_of, to_host
from kandinsky_backend.pipelines.checks import (
    Prompt,
    check_as_many,
    check_at_least_1,
    check_embeds,
    check_is_number,
    check_output_type,
    texts_of,
)
from kandinsky_backend.pipelines.outputs import ImagePipelineOutput
from kandinsky_backend.pipelines.prompts import PromptPipeline
from kandinsky_backend.residency import Resident
from kandinsky_backend.sampling import (
    WHOLE,
    Array,
    Course,
    KnownRegion,
    Step,
    Steps,
    TextConditioning,
    denoise,
    guide,
    initial_latents,
    is_guided,
)
from kandinsky_backend.schedulers import RandomGenerator, Scheduler
from kandinsky_backend.weights import tensor_of


@dataclass(frozen=True)
class Call:
    """The parameters that a call of any decoder's pipeline has; their names and meanings are of KandinskyPipeline's."""

    prompt: Prompt
    image_embeds: Any
    negative_image_embeds: Any
    negative_prompt: Prompt | None
    height: int
    width: int
    num_inference_steps: int
    guidance_scale: float
    num_images_per_prompt: int
    generator: RandomGenerator
    output_type: str
    callback: Callable[[int, int, Tensor], None] | None
    callback_steps: int

    def check(self) -> None:
        """Refuse values that no model takes.

        Raises:
            TypeError, ValueError: one of them.
        """
        check_output_type(self.output_type, "pil", "np", "ms")
        check_at_least_1("num_images_per_prompt", self.num_images_per_prompt)
        check_at_least_1("callback_steps", self.callback_steps)
        check_at_least_1("height", self.height)
        check_at_least_1("width", self.width)
        check_is_number("guidance_scale", self.guidance_scale)

    def on_step(self, step: Step) -> None:
        """Tell the callback, where there is one and it is its turn."""
        if self.callback is not None and step.index % self.callback_steps == 0:
            self.callback(step.index, step.timestep, Tensor(step.latents))


class _LastTexts:
    """The UNet's keys and values of the last run's texts, as most runs have the same."""

    def __init__(self) -> None:
        self._hidden_states: Array | None = None
        self._projected: list[KeysAndValues] = []

    def projected(self, hidden_states: Array, unet: Any) -> list[KeysAndValues]:
        """Keys and values of texts, computed now unless they were the last that were asked for."""
        if self._hidden_states is None or not np.array_equal(self._hidden_states, hidden_states):
            self._projected = unet.project_text(tensor_of(hidden_states, dtype_of(unet)))
            self._hidden_states = hidden_states
        return self._projected


class DecoderPipeline(PromptPipeline):
    """Denoises latents towards image embeddings, and makes pictures of latents and latents of pictures."""

    _models: ClassVar = {
        "text_encoder": ModelFiles(
            xlm_roberta.MultilingualCLIP, xlm_roberta.MultilingualCLIPConfig, xlm_roberta.IGNORED_KEYS
        ),
        "unet": ModelFiles(unet.UNet2DConditionModel, unet.UNetConfig),
        "movq": ModelFiles(movq.MoVQ, movq.MoVQConfig, renames=movq.RENAMED_LEAVES),
    }
    _others: ClassVar = {
        "tokenizer": Checkpoint.tokenizer,
        "scheduler": scheduler_of,
    }
    max_tokens = 77  # the text encoder could read 512; the models were trained with these

    def __init__(self, text_encoder: Any, tokenizer: Any, unet: Any, scheduler: Scheduler, movq: Any) -> None:
        super().__init__(tokenizer, scheduler, text_encoder=text_encoder, unet=unet, movq=movq)
        self._texts = _LastTexts()  # shared with this pipeline's copies that have another scheduler
        taken, latent = self._config("unet").in_channels, self.latent_channels
        if taken not in (latent, 2 * latent + 1):
            raise CheckpointBroken(
                "the UNet takes {taken} channels, but latents have {latent}: one for pictures takes as many, one for "
                "inpainting {inpainting}",
                "foreign-unet",
                taken=taken,
                latent=latent,
                inpainting=2 * latent + 1,
            )

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
        """True if decoding between two steps leaves the UNet in memory."""
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
        course: Course = WHOLE,
        shown: KnownRegion | None = None,
    ) -> Steps:
        """Denoise latents (B, 4, h, w). The UNet is loaded and conditioned now, all else comes with the steps.

        Args:
            conditioning: of 2 * B texts under guidance, else of B.
            image_embeds, negative_image_embeds: (B, D).
            course: see sampling.py.
            shown: the part of a picture that a UNet for inpainting sees; None: nothing. Others see none anyway.

        Raises:
            ValueError: the scheduler has no run of so many steps, or the guidance scale is not a finite number.
            CheckpointError: the UNet's files are not what they must be.
        """
        scheduler, guided = self._scheduler_for(num_inference_steps), is_guided(guidance_scale)
        channels, dtype = latents.shape[1], dtype_of(self.unet)
        embeds = np.concatenate([negative_image_embeds, image_embeds]) if guided else image_embeds
        text, image = (tensor_of(part, dtype) for part in (conditioning.text_embeds, embeds))
        for_unet = self.unet.condition(self._texts.projected(conditioning.hidden_states, self.unet), text, image)
        behind = self._behind(latents, shown)

        def predict(latents: Array, timestep: int) -> Array:
            seen = np.concatenate([latents, behind], axis=1)
            doubled = np.concatenate([seen, seen]) if guided else seen
            output = to_host(self.unet(tensor_of(doubled, dtype), timestep, for_unet))
            prediction, variance = output[:, :channels], output[-len(latents) :, channels:]
            if guided:
                prediction = guide(prediction, guidance_scale)
            return np.concatenate([prediction, variance], axis=1) if scheduler.predicts_variance else prediction

        return denoise(scheduler, predict, latents, generator, course)

    def prepare_ahead(self, height: int, width: int, guidance_scale: float, is_over: Callable[[], bool]) -> None:
        """Load UNet and MoVQ and make their plans for a picture, in a thread ahead of the one that draws it.

        Nothing is done where models do not run as plans, and no more than what fits into memory beside what is loaded.

        Raises:
            RehearsalOver: `is_over` said so; it is asked again and again.
            CheckpointError, MemoryError, PlanError: what who draws the picture will meet too.
        """
        if not plans_compute(self.dtype):
            return
        shape = self.latent_shape(height, width)
        if (unet := self._parts["unet"].resident.get_ahead()) is not None:
            with rehearsing(is_over):
                self._rehearse_step(unet, shape, guidance_scale)
            if (movq := self._parts["movq"].resident.get_ahead()) is not None:
                with rehearsing(is_over):
                    self._rehearse_decoding(movq, shape)

    def foresee(self, height: int, width: int, guidance_scale: float) -> None:
        """Count with the memory of UNet and MoVQ as the plans for a picture will hold them, where they are not loaded.

        Raises:
            CheckpointError: their files are not what they must be.
        """
        shape = self.latent_shape(height, width)
        self._parts["unet"].foresee(lambda unet: self._rehearse_step(unet, shape, guidance_scale))
        self._parts["movq"].foresee(lambda movq: self._rehearse_decoding(movq, shape))

    def _rehearse_decoding(self, movq: Any, shape: tuple[int, int, int]) -> None:
        movq.decode(tensor_of(np.zeros((1, *shape), np.float32), dtype_of(movq)))

    def _rehearse_step(self, unet: Any, shape: tuple[int, int, int], guidance_scale: float) -> None:
        config, dtype, rows = unet.config, dtype_of(unet), 2 if is_guided(guidance_scale) else 1

        def blank(*shape: int) -> Tensor:
            return tensor_of(np.zeros((rows, *shape), np.float32), dtype)

        texts, embeds = blank(self.max_tokens, config.encoder_hid_dim), blank(config.cross_attention_dim)
        unet(blank(config.in_channels, *shape[1:]), 0, unet.condition(unet.project_text(texts), embeds, embeds))

    def encode(self, pixels: Array) -> Array:
        """Latents (B, 4, H / f, W / f) of pixels (B, 3, H, W) in -1..1, H and W multiples of f; one at a time."""
        movq = self.movq
        dtype = dtype_of(movq)
        return np.concatenate([to_host(movq.encode(tensor_of(one[None], dtype))) for one in pixels])

    def noised(self, latents: Array, noise: Array, num_inference_steps: int, first: int) -> Array:
        """Latents with the noise of the level at which step `first` of a run of so many begins."""
        scheduler = self._scheduler_for(num_inference_steps)
        return scheduler.add_noise(latents, noise, int(scheduler.timesteps[first]))

    def decode(self, latents: Array) -> Array:
        """Pictures (B, H, W, 3) in 0..1 of latents (B, 4, h, w)."""
        return _unit(self._decode(latents))

    def bytes_of_decoding(self, height: int, width: int) -> int:
        """Bytes that decoding a picture of `height` x `width` px takes beyond the models and what is reserved."""
        part = self._parts["movq"]
        return movq.bytes_of_decoding(part.config, part.dtype, height, width)

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Channels, height and width of the latents of a picture of at least `height` x `width` pixels.

        Raises:
            ValueError: a side is below 1.
        """
        return (self.latent_channels, *self.latent_size(height, width))

    @property
    def latent_channels(self) -> int:
        """Channels of the latents: 4 in the published model."""
        return int(self._config("movq").latent_channels)

    @property
    def is_for_inpainting(self) -> bool:
        """True if the UNet sees the part of a picture that is to stay."""
        return int(self._config("unet").in_channels) > self.latent_channels

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
        return np.concatenate([to_host(movq.decode(tensor_of(one[None], dtype))) for one in latents])

    def _output(self, pixels: Array, call: Call) -> ImagePipelineOutput:
        """Pixels (B, 3, H, W) in -1..1 as a call wants them."""
        images: Any = Tensor(pixels)
        if call.output_type != "ms":
            images = to_pil(_unit(pixels)) if call.output_type == "pil" else _unit(pixels)
        return ImagePipelineOutput(images)

    def _run_text_encoder(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        return self.text_encoder(input_ids, attention_mask)

    def _behind(self, latents: Array, shown: KnownRegion | None) -> Array:
        """The channels that the UNet sees behind the latents: none, or those for inpainting, of `shown` or of zeros."""
        channels = self._config("unet").in_channels - self.latent_channels
        if shown is None or not channels:
            return np.zeros((len(latents), channels, *latents.shape[2:]), np.float32)
        return shown.inpainting_channels

    @property
    def unet(self) -> Any:
        return self._get("unet")

    @property
    def movq(self) -> Any:
        return self._get("movq")

    def _embeds(self, call: Call) -> tuple[Array, Array]:
        """The image embeddings (M, D) of a call, and those to lead away from."""
        embeds = _joined("image_embeds", call.image_embeds)
        negative_embeds = _joined("negative_image_embeds", call.negative_image_embeds)
        check_embeds(embeds, negative_embeds, self._config("unet").cross_attention_dim)
        return embeds, negative_embeds

    def _run(self, call: Call, latents: Array, course: Course = WHOLE, shown: KnownRegion | None = None) -> Array:
        """Denoise the latents (M * N, 4, h, w) of a call, under a progress bar; see `denoise`."""
        embeds, negative_embeds = self._embeds(call)
        prompts, negatives = _for_each_row(call.prompt, call.negative_prompt, len(embeds))
        copies = call.num_images_per_prompt
        steps = self.denoise(
            self.encode_guided(prompts, negatives, copies, call.guidance_scale),
            np.repeat(embeds, copies, axis=0),
            np.repeat(negative_embeds, copies, axis=0),
            latents,
            generator=call.generator,
            num_inference_steps=call.num_inference_steps,
            guidance_scale=call.guidance_scale,
            course=course,
            shown=shown,
        )
        return self._finish(steps, course.count(self._scheduler_for(call.num_inference_steps)), call.on_step)


class KandinskyPipeline(DecoderPipeline):
    """From image embeddings to pictures."""

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
    ) -> ImagePipelineOutput:
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
            return_dict: has no effect: the result is a tuple that has names.

        Returns:
            One thing: the pictures, M * N, called images.

        Raises:
            TypeError, ValueError: a parameter is of another type, or out of its range.
        """
        call = Call(
            prompt,
            image_embeds,
            negative_image_embeds,
            negative_prompt,
            height,
            width,
            num_inference_steps,
            guidance_scale,
            num_images_per_prompt,
            generator,
            output_type,
            callback,
            callback_steps,
        )
        call.check()
        embeds, _ = self._embeds(call)
        scheduler = self._scheduler_for(num_inference_steps)
        shape = (len(embeds) * num_images_per_prompt, *self.latent_shape(height, width))
        given = None if latents is None else host_array("latents", latents)
        noise = initial_latents(shape, given, generator, scheduler)
        return self._output(self._decode(self._run(call, noise)), call)


def _unit(pixels: Array) -> Array:
    """Pixels (B, 3, H, W) in -1..1 as (B, H, W, 3) in 0..1."""
    return (pixels * 0.5 + 0.5).clip(0, 1).transpose(0, 2, 3, 1)


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


def _joined(name: str, embeds: Any) -> Array:
    """One array of a Tensor or array, or of a list of such.

    Raises:
        TypeError: it is neither.
        ValueError: the arrays of a list do not fit together.
    """
    if not isinstance(embeds, list | tuple):
        return host_array(name, embeds)
    parts = [host_array(f"{name}[{n}]", part) for n, part in enumerate(embeds)]
    if not parts or not all(part.ndim and part.shape[1:] == parts[0].shape[1:] for part in parts):
        raise ValueError(f"{name} have the shapes {[part.shape for part in parts]}: give arrays (rows, width)")
    return np.concatenate(parts)
