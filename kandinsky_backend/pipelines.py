"""KandinskyPriorPipeline and KandinskyPipeline: the API of mindone.diffusers, and the pieces that blend.py is made of.

Parameters, defaults and results are those of diffusers 0.39 (pipelines/kandinsky/pipeline_kandinsky{,_prior}.py) and
of its port mindone.diffusers, where these two differ those of the latter; what is a bug there is none here, and
tests/backend/test_pipeline_api.py names each.

Models run on the device; what is between them, latents above all, is float32 on the host (sampling.py).
"""

from __future__ import annotations

import copy
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn
from PIL import Image
from tqdm.auto import tqdm

from kandinsky_backend import device, mixing
from kandinsky_backend.checkpoint import Checkpoint, resolve
from kandinsky_backend.images import ClipImageProcessor, composite, open_picture, to_pil
from kandinsky_backend.models import clip, movq, prior, unet, xlm_roberta
from kandinsky_backend.residency import Residency, Resident
from kandinsky_backend.sampling import (
    Array,
    Step,
    Steps,
    TextConditioning,
    denoise,
    finish,
    guide,
    initial_latents,
    is_guided,
)
from kandinsky_backend.schedulers import SCHEDULERS, RandomGenerator, Scheduler, draw_noise

__all__ = [
    "ImagePipelineOutput",
    "KandinskyPipeline",
    "KandinskyPriorPipeline",
    "KandinskyPriorPipelineOutput",
    "Step",
    "TextConditioning",
]

log = logging.getLogger(__name__)

Prompt = str | list[str]
_Pipeline = TypeVar("_Pipeline", bound="Pipeline")

_RESIDENCY = Residency()  # all pipelines of a process share its memory


class KandinskyPriorPipelineOutput(NamedTuple):
    """Image embeddings (N, D), and those to lead away from (N, D)."""

    image_embeds: Any
    negative_image_embeds: Any


class ImagePipelineOutput(NamedTuple):
    """The pictures, of the output type that was asked for."""

    images: Any


@dataclass(frozen=True)
class _ModelFiles:
    """How a folder of a checkpoint becomes a model."""

    model: type[nn.Cell]
    config: Any  # its config class
    ignore: frozenset[str] = frozenset()
    renames: Mapping[str, str] | None = None


class Part(NamedTuple):
    """A model of a pipeline: its config is known at once, its weights are read when it is first used."""

    config: Any
    resident: Resident[nn.Cell]

    @classmethod
    def of(cls, model: nn.Cell | Part) -> Part:
        """`model` itself if it is a Part, else a Part that always holds it."""
        if isinstance(model, Part):
            return model
        return cls(model.config, Residency().add(type(model).__name__, 0, lambda: model))


class Pipeline(ABC):
    """What the two pipelines share: loading, prompts, the progress bar.

    Attributes:
        tokenizer: of transformers.
        scheduler: may be replaced: `pipeline.scheduler = DDPMScheduler.from_config(pipeline.scheduler.config)`.
        checkpoint: what from_pretrained found; None for a pipeline that was put together by hand.
    """

    _models: ClassVar[Mapping[str, _ModelFiles]]
    _others: ClassVar[Mapping[str, Callable[[Checkpoint], Any]]]

    def __init__(self, tokenizer: Any, scheduler: Scheduler, **models: nn.Cell | Part) -> None:
        self.tokenizer = tokenizer
        self.scheduler = scheduler
        self._parts = {name: Part.of(model) for name, model in models.items()}
        self.checkpoint: Checkpoint | None = None
        self._progress_bar_options: dict[str, Any] = {}

    @classmethod
    def from_pretrained(
        cls: type[_Pipeline],
        pretrained_model_name_or_path: str | Path,
        *,
        mindspore_dtype: ms.Type | None = None,
        use_safetensors: bool = True,
        variant: str | None = None,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        token: bool | str | None = None,
        residency: Residency | None = None,
        **components: Any,
    ) -> _Pipeline:
        """The pipeline of a checkpoint: its files are found now, each model is read when it is first used.

        Args:
            pretrained_model_name_or_path: a folder or a hub id.
            mindspore_dtype: precision to compute in, where the device can (device.compute_dtype); None: float32.
            variant: of the weight files, e.g. "fp16"; and the rest: see checkpoint.resolve.
            residency: keeps the models within a memory budget; None: one for all pipelines of the process.
            components: to use instead of the checkpoint's, e.g. `scheduler=`.

        Raises:
            TypeError: a component is unknown.
            CheckpointError: the files are not there, or not what they must be.
            ValueError: a config holds a value that is not implemented.
        """
        names = [*cls._models, *cls._others]
        unknown = sorted(set(components) - set(names))
        if unknown:
            raise TypeError(f"{cls.__name__} has no component {unknown[0]!r}: it has {', '.join(names)}")
        checkpoint = resolve(
            pretrained_model_name_or_path,
            variant=variant,
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            token=token,
            use_safetensors=use_safetensors,
            components=[name for name in names if name not in components],
        )
        device.prepare()
        dtype = device.compute_dtype(mindspore_dtype)
        for name in set(cls._models) - set(components):
            components[name] = _part(checkpoint, name, cls._models[name], dtype, residency or _RESIDENCY)
        for name in set(cls._others) - set(components):
            components[name] = cls._others[name](checkpoint)
        pipeline = cls(**components)
        pipeline.checkpoint = checkpoint
        return pipeline

    @property
    def components(self) -> dict[str, Any]:
        """What the pipeline is made of: `KandinskyPipeline(**pipeline.components)` is another that shares it all."""
        return {**self._parts, **{name: getattr(self, name) for name in self._others}}

    @property
    @abstractmethod
    def max_tokens(self) -> int:
        """How many tokens of a prompt the models read, the marks of its start and end included."""

    @abstractmethod
    def _run_text_encoder(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """text_embeds and the last hidden state."""

    def encode_prompt(self, texts: Sequence[str]) -> TextConditioning:
        """What the text encoder says about each text; equal ones are encoded once. Logs what is cut off."""
        unique = list(dict.fromkeys(texts))
        for text in unique:
            if cut := self.truncated_text(text):
                log.warning("only %d tokens of a prompt are read; this part was cut off: %s", self.max_tokens, cut)
        tokens = self.tokenizer(
            unique, padding="max_length", max_length=self.max_tokens, truncation=True, return_tensors="np"
        )
        mask = tokens.attention_mask.astype(np.float32)
        encoded = self._run_text_encoder(Tensor(tokens.input_ids.astype(np.int32)), Tensor(mask))
        conditioning = TextConditioning(to_host(encoded[0]), to_host(encoded[1]), mask)
        return conditioning.rows([unique.index(text) for text in texts])

    def truncated_text(self, text: str) -> str:
        """The end of `text` that does not fit into `max_tokens` tokens, or ""."""
        ids = self.tokenizer(text, verbose=False).input_ids
        if len(ids) <= self.max_tokens:
            return ""
        return str(self.tokenizer.decode(ids[self.max_tokens - 1 : -1])).strip()  # the last is the mark of the end

    def set_progress_bar_config(self, **options: Any) -> None:
        """Options of tqdm for the progress bar of each run, e.g. `disable=True`."""
        self._progress_bar_options = options

    def _condition(
        self, prompts: Sequence[str], negatives: Sequence[str], copies: int, guidance_scale: float
    ) -> TextConditioning:
        """`copies` rows for each prompt, under guidance after as many for each negative."""
        texts = _repeated(prompts, copies)
        return self.encode_prompt(_repeated(negatives, copies) + texts if is_guided(guidance_scale) else texts)

    def _get(self, name: str) -> Any:
        """A model, read now if it is not in memory."""
        return self._parts[name].resident.get()

    def _config(self, name: str) -> Any:
        return self._parts[name].config

    def _scheduler_for(self, num_inference_steps: int) -> Scheduler:
        """A copy of the scheduler with its timesteps set: two runs at a time do not disturb each other."""
        scheduler = copy.copy(self.scheduler)
        scheduler.set_timesteps(num_inference_steps)
        return scheduler

    def _finish(self, steps: Steps, count: int, on_step: Callable[[Step], None] = lambda _: None) -> Array:
        """Run to the end under a progress bar."""
        with tqdm(total=count, **self._progress_bar_options) as bar:

            def advance(step: Step) -> None:
                bar.update()
                on_step(step)

            return finish(steps, advance)


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
        "prior": _ModelFiles(prior.PriorTransformer, prior.PriorTransformerConfig, prior.IGNORED_KEYS),
        "image_encoder": _ModelFiles(clip.CLIPVisionModelWithProjection, clip.CLIPVisionConfig, clip.IGNORED_KEYS),
        "text_encoder": _ModelFiles(clip.CLIPTextModelWithProjection, clip.CLIPTextConfig, clip.IGNORED_KEYS),
    }
    _others: ClassVar = {
        "tokenizer": lambda checkpoint: checkpoint.tokenizer("tokenizer"),
        "scheduler": lambda checkpoint: _scheduler(checkpoint),
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
        _check_output_type(output_type, "ms", "np")
        run = self._run_options(num_images_per_prompt, num_inference_steps, generator, latents, guidance_scale)
        prompts = _texts("prompt", prompt)
        negatives = None if negative_prompt is None else _texts("negative_prompt", negative_prompt)
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
        away = None if negative_prior_prompt is None else _texts("negative_prior_prompt", negative_prior_prompt)
        negative = _texts("negative_prompt", negative_prompt)
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
            _check_as_many(prompts, negatives)
            texts, away = prompts + negatives, negatives * 2
        conditioning = self._condition(texts, away, run.num_images_per_prompt, run.guidance_scale)
        shape = (len(texts) * run.num_images_per_prompt, self.embedding_dim)
        steps = self.sample(
            conditioning,
            initial_latents(shape, run.latents, run.generator, self.scheduler),
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
        _check_at_least_1("num_images_per_prompt", num_images_per_prompt)
        self._scheduler_for(num_inference_steps)  # refuses an impossible count before any work
        is_guided(guidance_scale)
        given = None if latents is None else _host_array(latents)
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
        "text_encoder": _ModelFiles(
            xlm_roberta.MultilingualCLIP, xlm_roberta.MultilingualCLIPConfig, xlm_roberta.IGNORED_KEYS
        ),
        "unet": _ModelFiles(unet.UNet2DConditionModel, unet.UNetConfig),
        "movq": _ModelFiles(movq.MoVQ, movq.MoVQConfig, renames=movq.RENAMED_LEAVES),
    }
    _others: ClassVar = {
        "tokenizer": lambda checkpoint: checkpoint.tokenizer("tokenizer"),
        "scheduler": lambda checkpoint: _scheduler(checkpoint),
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
        _check_output_type(output_type, "pil", "np", "ms")
        _check_at_least_1("num_images_per_prompt", num_images_per_prompt)
        _check_at_least_1("callback_steps", callback_steps)
        scheduler = self._scheduler_for(num_inference_steps)
        embeds, negative_embeds = self._checked_embeds(image_embeds, negative_image_embeds)
        prompts, negatives = _for_each_row(prompt, negative_prompt, len(embeds))
        shape = (len(embeds) * num_images_per_prompt, *self.latent_shape(height, width))
        given = None if latents is None else _host_array(latents)
        conditioning = self._condition(prompts, negatives, num_images_per_prompt, guidance_scale)
        steps = self.denoise(
            conditioning,
            np.repeat(embeds, num_images_per_prompt, axis=0),
            np.repeat(negative_embeds, num_images_per_prompt, axis=0),
            initial_latents(shape, given, generator, scheduler),
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
        _check_at_least_1("height", height)
        _check_at_least_1("width", width)
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


def to_host(tensor: Tensor) -> Array:
    """A tensor's values in float32."""
    return tensor.astype(ms.float32).asnumpy()


def dtype_of(model: nn.Cell) -> ms.Type:
    """The dtype of a model's weights, in which it computes."""
    return next(model.get_parameters()).dtype


def _part(checkpoint: Checkpoint, name: str, files: _ModelFiles, dtype: ms.Type, residency: Residency) -> Part:
    config = files.config.from_dict(checkpoint.config(name))

    def load() -> nn.Cell:
        weights = checkpoint.weights(name, dtype, files.ignore, files.renames)
        model = files.model(config, weights)
        weights.finish()
        return model

    return Part(config, residency.add(f"{checkpoint.source}: {name}", checkpoint.bytes_of(name, dtype), load))


def _scheduler(checkpoint: Checkpoint) -> Scheduler:
    config = checkpoint.config("scheduler")
    kind = SCHEDULERS.get(config.get("_class_name", ""))
    if kind is None:
        raise ValueError(
            f"{checkpoint.source} asks for the scheduler {config.get('_class_name')!r}: only "
            f"{', '.join(SCHEDULERS)} are implemented; give another one as scheduler="
        )
    return kind.from_config(config)


def _texts(name: str, value: Prompt) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} is {value!r}: give a str or a list of str")
    if not texts:
        raise ValueError(f"{name} is an empty list: give at least one prompt")
    return list(texts)


def _check_as_many(prompts: list[str], negatives: list[str]) -> None:
    if len(prompts) != len(negatives):
        raise ValueError(f"{len(prompts)} prompts and {len(negatives)} negative prompts were given: give as many")


def _for_each_row(prompt: Prompt, negative_prompt: Prompt | None, rows: int) -> tuple[list[str], list[str]]:
    """Prompts and negative prompts, one for each of `rows` embeddings."""
    prompts = _texts("prompt", prompt)
    negatives = [""] * len(prompts) if negative_prompt is None else _texts("negative_prompt", negative_prompt)
    _check_as_many(prompts, negatives)
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


def _check_output_type(output_type: str, *known: str) -> None:
    if output_type not in known:
        raise ValueError(f"output_type is {output_type!r}: choose one of {', '.join(known)}")


def _check_at_least_1(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} is {value}: it must be at least 1")


def _repeated(texts: Sequence[str], copies: int) -> list[str]:
    return [text for text in texts for _ in range(copies)]


def _host_array(values: Tensor | npt.ArrayLike) -> Array:
    return to_host(values) if isinstance(values, Tensor) else np.asarray(values, np.float32)


def _joined(embeds: Any) -> Array:
    """One array of a Tensor or array, or of a list of such."""
    parts = embeds if isinstance(embeds, list | tuple) else [embeds]
    return np.concatenate([_host_array(part) for part in parts])


def _output(embeds: Array, output_type: str) -> Any:
    return Tensor(embeds) if output_type == "ms" else embeds
