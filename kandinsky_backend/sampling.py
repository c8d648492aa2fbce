"""The work between the models, on float32 host arrays: conditioning, guidance, the denoising loop, weighted sums."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kandinsky_backend.schedulers import RandomGenerator, Scheduler, draw_noise

Array = npt.NDArray[np.float32]
Predict = Callable[[Array, int], Array]


class TextConditioning(NamedTuple):
    """A text encoder's output for N texts: float32 arrays, to keep and to select rows of.

    Under guidance the first half of the rows are what to lead away from, the second half what to lead to.
    """

    text_embeds: Array  # (N, D)
    hidden_states: Array  # (N, T, W)
    attention_mask: Array  # (N, T), 1 for a token and 0 for padding

    def rows(self, indices: Sequence[int]) -> TextConditioning:
        """The texts at `indices`, in that order; one may come several times."""
        chosen = list(indices)
        return TextConditioning(*(part[chosen] for part in self))


@dataclass(frozen=True)
class Step:
    """A denoising step that is done."""

    index: int  # from 0
    count: int  # of steps in the run
    timestep: int
    latents: Array = field(repr=False)  # x_{t-1}
    pred_original_sample: Array = field(repr=False)  # x_0, as far as the model sees it


Steps = Generator[Step, None, None]


@dataclass(frozen=True)
class KnownRegion:
    """The part of a picture's latents that a run is not to change.

    Attributes:
        latents: of the whole picture, x_0 (B, C, h, w).
        keep: (B, 1, h, w), 1 where the latents are known and 0 where they are to be painted.
    """

    latents: Array
    keep: Array

    @property
    def inpainting_channels(self) -> Array:
        """The channels (B, C + 1, h, w) that an inpainting UNet sees behind noisy latents: known ones, and where."""
        return np.concatenate([self.latents * self.keep, self.keep], axis=1)

    def imposed(self, latents: Array, scheduler: Scheduler, timestep: int | None, generator: RandomGenerator) -> Array:
        """`latents` with the known ones put back, with fresh noise of the timestep's level; None: without noise."""
        known = self.latents
        if timestep is not None:
            known = scheduler.add_noise(known, draw_noise(known.shape, generator), timestep)
        return np.where(self.keep > 0, known, latents)


@dataclass(frozen=True)
class Course:
    """The way of a run from noise to a picture.

    Attributes:
        first: index of the first timestep that runs.
        known: imposed on the latents before the first step and after each.
        resamplings: how often each step is done, back to its noise in between: so what is painted comes to fit what is
            known (RePaint, Lugmayr et al. 2022, arXiv:2201.09865, with jumps of length 1).
    """

    first: int = 0
    known: KnownRegion | None = None
    resamplings: int = 1

    def count(self, scheduler: Scheduler) -> int:
        """The number of steps that run."""
        return (len(scheduler.timesteps) - self.first) * self.resamplings


WHOLE = Course()  # from pure noise


def denoise(
    scheduler: Scheduler, predict: Predict, latents: Array, generator: RandomGenerator, course: Course = WHOLE
) -> Steps:
    """Step `latents` through the scheduler's timesteps, at least one; the latents of the last step are the result.

    Nothing runs before the generator is advanced; closing it cancels.

    Args:
        scheduler: with its timesteps set.
        predict: the model's output for latents at a timestep.
        latents: (B, ...), of the first timestep's level of noise.
        generator: draws the noise of the steps that add some, and of what is imposed.
        course: where it does not go from pure noise to a picture that is all new.
    """
    timesteps = list(map(int, scheduler.timesteps))[course.first :]
    count, index, solver = course.count(scheduler), 0, copy.copy(scheduler)

    def imposed(latents: Array, timestep: int | None) -> Array:
        return latents if course.known is None else course.known.imposed(latents, scheduler, timestep, generator)

    latents = imposed(latents, timesteps[0])
    for timestep, following in zip(timesteps, [*timesteps[1:], None], strict=True):
        for resampling in range(course.resamplings):
            if resampling:
                latents = renoised(latents, scheduler, following, timestep, generator)
                solver = copy.copy(scheduler)  # what a multistep solver remembers was of other noise
            result = solver.step(predict(latents, timestep), timestep, latents, generator=generator)
            latents = imposed(result.prev_sample, following)
            yield Step(index, count, timestep, latents, result.pred_original_sample)
            index += 1


def renoised(
    latents: Array, scheduler: Scheduler, timestep: int | None, back: int, generator: RandomGenerator
) -> Array:
    """x_back of x_t = `latents`, q(x_back | x_t) of the forward process; a timestep of None: x_0."""
    ratio = scheduler.signal_rate(back) / (1.0 if timestep is None else scheduler.signal_rate(timestep))
    noise = draw_noise(latents.shape, generator)
    return np.float32(ratio) * latents + np.float32(math.sqrt(1 - ratio**2)) * noise


def is_guided(guidance_scale: float) -> bool:
    """Tell whether guidance does anything: up to 1 the conditioned prediction is used as it is.

    Raises:
        ValueError: the scale is not a finite number.
    """
    if not math.isfinite(guidance_scale):
        raise ValueError(f"guidance_scale is {guidance_scale}: give a finite number")
    return guidance_scale > 1.0


def guide(output: Array, guidance_scale: float) -> Array:
    """Classifier-free guidance (arXiv 2207.12598) of a model output (2B, ...), unconditional half first: (B, ...)."""
    unconditional, conditional = np.split(output, 2)
    return unconditional + np.float32(guidance_scale) * (conditional - unconditional)


def initial_latents(
    shape: tuple[int, ...], latents: npt.ArrayLike | None, generator: RandomGenerator, scheduler: Scheduler
) -> Array:
    """The noise to start from: `latents` where given, else drawn.

    Raises:
        ValueError: the given latents have another shape, or values that are not finite numbers.
    """
    if latents is None:
        noise = draw_noise(shape, generator)
    else:
        noise = np.asarray(latents, np.float32)
        if noise.shape != shape:
            raise ValueError(f"latents have the shape {noise.shape}: give {shape}")
        if not np.isfinite(noise).all():
            raise ValueError("latents hold values that are not finite numbers")
    return noise * np.float32(scheduler.init_noise_sigma)


def weighted_sum(embeds: Array, weights: Sequence[float]) -> Array:
    """sum_i weights[i] * embeds[i], as KandinskyPriorPipeline.interpolate of diffusers does it.

    Args:
        embeds: (N, D).
        weights: N numbers, negative ones too; neither normalised nor clamped.

    Returns:
        (D,). Weight 1 on one item and 0 on the others gives exactly that item.
    """
    total = np.zeros(embeds.shape[1], np.float32)
    for embed, weight in zip(embeds, weights, strict=True):
        if weight:  # 0 * x is not 0 for every x, and -0.0 + x loses x's sign of zero
            total = total + np.float32(weight) * embed
    return total
