"""Pipelines of a prior and a decoder in one, as diffusers' combined ones; the prior's components begin with prior_."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy.typing as npt
from mindspore import Tensor

from kandinsky_backend.errors import CheckpointNotFound
from kandinsky_backend.pipelines.base import Pipeline
from kandinsky_backend.pipelines.checks import Prompt, texts_of
from kandinsky_backend.pipelines.decoder import KandinskyPipeline
from kandinsky_backend.pipelines.outputs import ImagePipelineOutput
from kandinsky_backend.pipelines.prior import KandinskyPriorPipeline
from kandinsky_backend.pipelines.redrawing import KandinskyImg2ImgPipeline, KandinskyInpaintPipeline
from kandinsky_backend.schedulers import RandomGenerator

_Combined = TypeVar("_Combined", bound="CombinedPipeline")
_PRIOR = "prior_"


def with_prior(decoders: Mapping[str, Any], priors: Mapping[str, Any]) -> dict[str, Any]:
    """What belongs to a decoder's components and to a prior's, by their names in a combined pipeline."""
    return {**decoders, **{_PRIOR + name: value for name, value in priors.items()}}


class CombinedPipeline(Pipeline):
    """A prior and a decoder in one. Subclasses name the decoder and the components of both."""

    _decoder: ClassVar[type[Pipeline]]

    def __init__(self, **components: Any) -> None:
        super().__init__(components["scheduler"], **{name: components[name] for name in self._models})
        for name in self._others:
            setattr(self, name, components[name])
        self._decoder(**self._components_of(self._decoder, ""))  # refuses what does not go together

    @classmethod
    def from_pretrained(cls: type[_Combined], pretrained_model_name_or_path: str | Path, **options: Any) -> _Combined:
        """Make the pipeline of a decoder's checkpoint and its prior's, or of one that save_pretrained wrote.

        The prior is in the folder or repository of the decoder's name, without -inpaint and with -prior behind it; of
        a folder with prior/ and decoder/ in it, or of that decoder/, it is the former.

        Args:
            options: see Pipeline.from_pretrained; what replaces a component of the prior is called `prior_scheduler=`.

        Raises:
            CheckpointError, DeviceError: as of Pipeline.from_pretrained.
        """
        if (Path(pretrained_model_name_or_path).expanduser() / f"{_PRIOR}prior").is_dir():
            return super().from_pretrained(pretrained_model_name_or_path, **options)
        decoder_at, prior_at = _places(pretrained_model_name_or_path)
        components = {name: options.pop(name) for name in cls.component_names() if name in options}
        of_prior = {name: components.pop(name) for name in list(components) if name.startswith(_PRIOR)}
        of_prior = {name.removeprefix(_PRIOR): value for name, value in of_prior.items()}
        prior = KandinskyPriorPipeline.from_pretrained(prior_at, **options, **of_prior)
        decoder = cls._decoder.from_pretrained(decoder_at, **options, **components)
        pipeline = cls(**with_prior(decoder.components, prior.components))
        pipeline.checkpoint = decoder.checkpoint
        return pipeline

    @property
    def prior_pipe(self) -> KandinskyPriorPipeline:
        """The prior alone; it shares the models."""
        return self._share(KandinskyPriorPipeline(**self._components_of(KandinskyPriorPipeline, _PRIOR)))

    @property
    def decoder_pipe(self) -> Any:
        """The decoder alone; it shares the models."""
        return self._share(self._decoder(**self._components_of(self._decoder, "")))

    def _components_of(self, kind: type[Pipeline], prefix: str) -> dict[str, Any]:
        components = self.components
        return {name: components[prefix + name] for name in kind.component_names()}

    def _share(self, pipeline: Any) -> Any:
        pipeline.set_progress_bar_config(**self._progress_bar_options)
        return pipeline

    def _paint(
        self,
        prompt: Prompt,
        pictures: Mapping[str, Any],
        *,
        negative_prompt: Prompt | None,
        num_images_per_prompt: int,
        prior_guidance_scale: float,
        prior_num_inference_steps: int,
        generator: RandomGenerator,
        latents: Tensor | npt.NDArray[Any] | None,
        **options: Any,
    ) -> ImagePipelineOutput:
        """The decoder's pictures of the prior's embeddings of `prompt`.

        Args:
            pictures: that the decoder starts from; a list holds one for each prompt.
            options: of the decoder.
        """
        embeds = self.prior_pipe(
            prompt,
            negative_prompt,
            num_images_per_prompt=num_images_per_prompt,
            num_inference_steps=prior_num_inference_steps,
            generator=generator,
            latents=latents,
            guidance_scale=prior_guidance_scale,
        )

        # The reference repeats lists as a whole instead of each item, as the prior does with their embeddings.
        def repeated(values: Any) -> Any:
            if not isinstance(values, list | tuple) or len(values) == 1:
                return values
            return [value for value in values for _ in range(num_images_per_prompt)]

        result: ImagePipelineOutput = self.decoder_pipe(
            prompt=[text for text in texts_of("prompt", prompt) for _ in range(num_images_per_prompt)],
            **embeds,
            **{name: repeated(values) for name, values in pictures.items()},
            generator=generator,
            **options,
        )
        return result


class KandinskyCombinedPipeline(CombinedPipeline):
    """From prompts to pictures."""

    _decoder = KandinskyPipeline
    _models: ClassVar = with_prior(KandinskyPipeline._models, KandinskyPriorPipeline._models)
    _others: ClassVar = with_prior(KandinskyPipeline._others, KandinskyPriorPipeline._others)

    def __call__(
        self,
        prompt: Prompt,
        negative_prompt: Prompt | None = None,
        num_inference_steps: int = 100,
        guidance_scale: float = 4.0,
        num_images_per_prompt: int = 1,
        height: int = 512,
        width: int = 512,
        prior_guidance_scale: float = 4.0,
        prior_num_inference_steps: int = 25,
        generator: RandomGenerator = None,
        latents: Tensor | npt.NDArray[Any] | None = None,
        output_type: str = "pil",
        callback: Callable[[int, int, Tensor], None] | None = None,
        callback_steps: int = 1,
        return_dict: bool = False,
    ) -> ImagePipelineOutput:
        """Pictures of prompts. See KandinskyPriorPipeline and KandinskyPipeline for the parameters.

        Args:
            negative_prompt: leads the prior away; the decoder has none, as in the reference.
            generator: draws the prior's noise, then the decoder's.
            latents: the prior's first latents.
        """
        return self._paint(
            prompt,
            {},
            negative_prompt=negative_prompt,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            num_images_per_prompt=num_images_per_prompt,
            height=height,
            width=width,
            prior_guidance_scale=prior_guidance_scale,
            prior_num_inference_steps=prior_num_inference_steps,
            generator=generator,
            latents=latents,
            output_type=output_type,
            callback=callback,
            callback_steps=callback_steps,
        )


class KandinskyImg2ImgCombinedPipeline(CombinedPipeline):
    """From prompts and pictures to pictures that look like both."""

    _decoder = KandinskyImg2ImgPipeline
    _models: ClassVar = with_prior(KandinskyImg2ImgPipeline._models, KandinskyPriorPipeline._models)
    _others: ClassVar = with_prior(KandinskyImg2ImgPipeline._others, KandinskyPriorPipeline._others)

    def __call__(
        self,
        prompt: Prompt,
        image: Any,
        negative_prompt: Prompt | None = None,
        num_inference_steps: int = 100,
        guidance_scale: float = 4.0,
        num_images_per_prompt: int = 1,
        strength: float = 0.3,
        height: int = 512,
        width: int = 512,
        prior_guidance_scale: float = 4.0,
        prior_num_inference_steps: int = 25,
        generator: RandomGenerator = None,
        latents: Tensor | npt.NDArray[Any] | None = None,
        output_type: str = "pil",
        callback: Callable[[int, int, Tensor], None] | None = None,
        callback_steps: int = 1,
        return_dict: bool = False,
    ) -> ImagePipelineOutput:
        """Pictures of prompts that start from others: see KandinskyCombinedPipeline and KandinskyImg2ImgPipeline."""
        return self._paint(
            prompt,
            {"image": image},
            negative_prompt=negative_prompt,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            num_images_per_prompt=num_images_per_prompt,
            strength=strength,
            height=height,
            width=width,
            prior_guidance_scale=prior_guidance_scale,
            prior_num_inference_steps=prior_num_inference_steps,
            generator=generator,
            latents=latents,
            output_type=output_type,
            callback=callback,
            callback_steps=callback_steps,
        )


class KandinskyInpaintCombinedPipeline(CombinedPipeline):
    """From prompts, pictures and masks to pictures that are new where the masks are white."""

    _decoder = KandinskyInpaintPipeline
    _models: ClassVar = with_prior(KandinskyInpaintPipeline._models, KandinskyPriorPipeline._models)
    _others: ClassVar = with_prior(KandinskyInpaintPipeline._others, KandinskyPriorPipeline._others)

    def __call__(
        self,
        prompt: Prompt,
        image: Any,
        mask_image: Any,
        negative_prompt: Prompt | None = None,
        num_inference_steps: int = 100,
        guidance_scale: float = 4.0,
        num_images_per_prompt: int = 1,
        height: int = 512,
        width: int = 512,
        prior_guidance_scale: float = 4.0,
        prior_num_inference_steps: int = 25,
        generator: RandomGenerator = None,
        latents: Tensor | npt.NDArray[Any] | None = None,
        output_type: str = "pil",
        callback: Callable[[int, int, Tensor], None] | None = None,
        callback_steps: int = 1,
        return_dict: bool = False,
    ) -> ImagePipelineOutput:
        """Pictures that are new where masks are white: see KandinskyCombinedPipeline and KandinskyInpaintPipeline."""
        return self._paint(
            prompt,
            {"image": image, "mask_image": mask_image},
            negative_prompt=negative_prompt,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            num_images_per_prompt=num_images_per_prompt,
            height=height,
            width=width,
            prior_guidance_scale=prior_guidance_scale,
            prior_num_inference_steps=prior_num_inference_steps,
            generator=generator,
            latents=latents,
            output_type=output_type,
            callback=callback,
            callback_steps=callback_steps,
        )


def _places(decoder: str | Path) -> tuple[str | Path, str | Path]:
    """The folders or hub ids of a decoder and its prior."""
    folder = Path(decoder).expanduser()
    if not folder.is_dir():
        return decoder, f"{str(decoder).removesuffix('-inpaint')}-prior"
    if (folder / "decoder").is_dir():
        return folder / "decoder", folder / "prior"
    folder = folder.resolve()
    prior = "prior" if folder.name == "decoder" else f"{folder.name.removesuffix('-inpaint')}-prior"
    if not folder.with_name(prior).is_dir():
        raise CheckpointNotFound(
            "{path} has no prior: the folder {prior} beside it is missing",
            "no-prior",
            path=str(decoder),
            prior=prior,
        )
    return folder, folder.with_name(prior)
