"""What both pipelines do between their models, on host arrays: conditioning, guidance, and the denoising loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from kandinsky_backend.schedulers import RandomGenerator, Scheduler, draw_noise

Array = npt.NDArray[np.float32]
Predict = Callable[[Array, int], Array]
T = TypeVar("T")


class TextConditioning(NamedTuple):
    """What a text encoder says about N texts. A tuple of float32 arrays, to keep and to select rows of.

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


Steps = Generator[Step, None, Array]


def denoise(scheduler: Scheduler, predict: Predict, latents: Array, generator: RandomGenerator) -> Steps:
    """Step `latents` through the scheduler's timesteps; yields after each step, and returns the last latents.

    Nothing runs before the generator is advanced; closing it cancels.

    Args:
        scheduler: with its timesteps set.
        predict: the model's output for latents at a timestep.
        latents: noise (B, ...).
        generator: draws the noise of the steps that add some.
    """
    count = len(scheduler.timesteps)
    for index, timestep in enumerate(map(int, scheduler.timesteps)):
        result = scheduler.step(predict(latents, timestep), timestep, latents, generator=generator)
        latents = result.prev_sample
        yield Step(index, count, timestep, latents, result.pred_original_sample)
    return latents


def finish(steps: Generator[Step, None, T], on_step: Callable[[Step], None]) -> T:
    """Run a denoising generator to its end, calling `on_step` after each step."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        on_step(step)


def is_guided(guidance_scale: float) -> bool:
    """Whether guidance does anything: up to 1 the conditioned prediction is used as it is.

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
