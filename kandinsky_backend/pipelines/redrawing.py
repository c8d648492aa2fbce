"""KandinskyImg2ImgPipeline and KandinskyInpaintPipeline: from pictures and image embeddings to pictures.

The reference is wrong in some of what these do; tests/golden/reference_ways.py has its ways, by overriding the methods
below whose names begin with an underscore.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from mindspore import Tensor

from kandinsky_backend.pipelines.base import host_array
from kandinsky_backend.pipelines.checks import Prompt, check_is_number
from kandinsky_backend.pipelines.decoder import Call, DecoderPipeline
from kandinsky_backend.pipelines.given_pictures import for_each_row, masks_of, pictures_of
from kandinsky_backend.pipelines.outputs import ImagePipelineOutput
from kandinsky_backend.repainting import covered_cells, cut, grown, padded
from kandinsky_backend.sampling import Array, Course, KnownRegion, initial_latents
from kandinsky_backend.schedulers import RandomGenerator, draw_noise


class RedrawingPipeline(DecoderPipeline):
    """A pipeline that starts from pictures: they are padded by their edges to what the models take, and cut back."""

    def _latents_of(self, pixels: Array) -> Array:
        """Latents of pixels (B, 3, H, W) of any size."""
        return self.encode(padded(pixels, self.movq_scale_factor**2))


class KandinskyImg2ImgPipeline(RedrawingPipeline):
    """From pictures and image embeddings to pictures that look like both."""

    def __call__(
        self,
        prompt: Prompt,
        image: Any,
        image_embeds: Any,
        negative_image_embeds: Any,
        negative_prompt: Prompt | None = None,
        height: int = 512,
        width: int = 512,
        num_inference_steps: int = 100,
        strength: float = 0.3,
        guidance_scale: float = 7.0,
        num_images_per_prompt: int = 1,
        generator: RandomGenerator = None,
        output_type: str = "pil",
        callback: Callable[[int, int, Tensor], None] | None = None,
        callback_steps: int = 1,
        return_dict: bool = False,
    ) -> ImagePipelineOutput:
        """Pictures that start from others. What is not said here is as of KandinskyPipeline.

        Args:
            image: one, or one for each row of image_embeds: Pillow images, which are stretched to the size; arrays
                (height, width, 3) in 0..255; Tensors (3, height, width) in -1..1.
            height, width: of the pictures in px, just so.
            strength: 0 to 1, the share of the steps that run, rounded, and at least one; 0 gives the picture back.
            generator: draws the noise that is added to the picture, then the scheduler's.

        Returns:
            One thing: the pictures, M * N, called images.

        Raises:
            TypeError, ValueError: a parameter is of another type, or out of its range.
            PictureError: see images.py.
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
        check_strength(strength)
        embeds, _ = self._embeds(call)
        scheduler = self._scheduler_for(num_inference_steps)
        pixels = for_each_row("image", pictures_of("image", image, height, width), len(embeds))
        pixels = np.repeat(pixels, num_images_per_prompt, axis=0)
        count = len(scheduler.timesteps)
        kept = steps_of_strength(count, strength)
        if not kept:
            return self._output(pixels, call)
        latents, course = self._latents_of(pixels), Course(first=count - kept)
        noise = draw_noise(latents.shape, generator)
        noisy = self._noised(latents, noise, call, course, strength)
        return self._output(cut(self._decode(self._run(call, noisy, course)), height, width), call)

    def _noised(self, latents: Array, noise: Array, call: Call, course: Course, strength: float) -> Array:
        """Latents with the noise of the first step's level."""
        return self.noised(latents, noise, call.num_inference_steps, course.first)


class KandinskyInpaintPipeline(RedrawingPipeline):
    """From pictures, masks and image embeddings to pictures that are new where the masks are white.

    What the masks keep is put back after each step, and in the end its pixels are. A UNet that is not for inpainting
    does it too, by that alone.
    """

    def __call__(
        self,
        prompt: Prompt,
        image: Any,
        mask_image: Any,
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
        """Pictures that are new where masks are white. What is not said here is as of KandinskyPipeline.

        Args:
            image: one, or one for each row of image_embeds: Pillow images, which are stretched to the size; arrays
                (height, width, 3) in 0..255; Tensors (3, height, width) in -1..1.
            mask_image: as many: Pillow images of any mode; arrays (height, width) or Tensors (1, height, width) in
                0..1. White is repainted, from half on.
            height, width: of the pictures in px, just so.
            generator: draws the first latents, then the noise of what is kept, then the scheduler's, each step.

        Returns:
            One thing: the pictures, M * N, called images.

        Raises:
            TypeError, ValueError: a parameter is of another type, or out of its range.
            PictureError: see images.py.
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
        pixels = for_each_row("image", pictures_of("image", image, height, width), len(embeds))
        masks = for_each_row("mask_image", masks_of("mask_image", mask_image, height, width), len(embeds))
        pixels, masks = (np.repeat(values, num_images_per_prompt, axis=0) for values in (pixels, masks))
        clean = self._latents_of(pixels)
        shown = KnownRegion(clean, np.float32(1) - self._repainted(masks, clean.shape[2:]))
        given = None if latents is None else host_array("latents", latents)
        noise = initial_latents(clean.shape, given, generator, scheduler)
        made = self._decode(self._run(call, noise, self._course(shown), shown))
        return self._output(self._pasted(cut(made, height, width), pixels, masks), call)

    def _repainted(self, masks: Array, shape: tuple[int, ...]) -> Array:
        """1 for each latent pixel (B, 1, h, w) that is repainted, 0 for others: any white of a cell and beside it."""
        height, width = masks.shape[2:]
        rows, columns = shape
        cells = [covered_cells(mask > 0, height, width, self.movq_scale_factor, (rows, columns)) for (mask,) in masks]
        return grown(np.stack(cells))[:, None].astype(np.float32)

    def _course(self, shown: KnownRegion) -> Course:
        return Course(known=shown)

    def _pasted(self, made: Array, pixels: Array, masks: Array) -> Array:
        """What was made where the masks are white, and the given pixels elsewhere."""
        return np.where(masks > 0, made, pixels)


def steps_of_strength(count: int, strength: float) -> int:
    """How many of `count` steps run at a strength of 0 to 1: rounded to the nearest, and one at least if any."""
    return max(math.floor(count * strength + 0.5), 1) if strength > 0 else 0


def check_strength(strength: float) -> None:
    """Refuse a strength that has no meaning.

    Raises:
        TypeError: it is no number.
        ValueError: it is not within 0 to 1.
    """
    check_is_number("strength", strength)
    if not 0 <= strength <= 1:
        raise ValueError(f"strength is {strength}: give 0 to 1")
