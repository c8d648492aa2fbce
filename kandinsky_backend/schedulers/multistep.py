"""Shared parts of DPM-Solver++ and UniPC: noise levels, and the predictions of the last steps.

Both solve the probability-flow ODE in lambda = log(alpha / sigma), where x_t = alpha_t x_0 + sigma_t noise, and follow
how the predicted x_0 changes with it. Levels of noise are sigma / alpha, as Karras et al. 2022 (arXiv 2206.00364) space
them. Coefficients are float64, samples float32: differences of neighbouring lambdas have few digits left in float32.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from kandinsky_backend.schedulers.base import Array, RandomGenerator, Scheduler, SchedulerOutput, Timesteps

Levels = npt.NDArray[np.float64]

_KARRAS_RHO = 7.0


@dataclass(frozen=True)
class Prediction:
    """The x_0 that the model predicted at step `index` of the run."""

    index: int
    original: Array


class MultistepScheduler(Scheduler):
    """A scheduler that remembers: its steps are done in the order of `timesteps`, each once.

    `set_timesteps` begins a run; the first step may be any of its timesteps. Never draws noise.

    Attributes:
        sigmas: (n + 1,) float32, sigma / alpha at each timestep, and the level that the last step ends at.
    """

    implemented: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
        "prediction_type": ("epsilon", "sample", "v_prediction"),
        "timestep_spacing": ("leading", "trailing", "linspace"),
        "final_sigmas_type": ("zero", "sigma_min"),
    }

    _next: int | None  # the index of the next step; None before the first

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._begin(_ratio(self.alphas_cumprod[self.timesteps]))

    def set_timesteps(self, num_inference_steps: int) -> None:
        """Begin a run of `num_inference_steps` steps: choose its timesteps and forget the last run.

        Raises:
            ValueError: there are fewer than 1 or more than num_train_timesteps steps.
        """
        super().set_timesteps(num_inference_steps)
        table = _ratio(self.alphas_cumprod)
        if self.config.use_karras_sigmas:
            levels = _karras(float(table[0]), float(table[-1]), num_inference_steps)
            self.timesteps = _timesteps_of(levels, table)
            self._begin(levels)
        else:
            self._begin(table[self.timesteps])

    def adds_noise(self, timestep: int) -> bool:
        """Whether the step draws noise: never."""
        return False

    def step(
        self, model_output: Array, timestep: int, sample: Array, *, generator: RandomGenerator = None
    ) -> SchedulerOutput:
        """From x_t to x_{t-1}.

        Raises:
            ValueError: a shape does not fit, or the timestep is not the run's next.
        """
        model_output, _ = self._split(model_output, sample)
        index = self._index_of(timestep)
        original, _ = self._predict(model_output, sample, float(self._alpha[index]), float(self._sigma[index]))
        self._next = index + 1
        if self._lambda[index + 1] == self._lambda[index]:  # more steps than levels: this one leads nowhere
            return SchedulerOutput(sample, original)
        return SchedulerOutput(self._solve(Prediction(index, original), sample), original)

    def add_noise(self, original: Array, noise: Array, timesteps: npt.ArrayLike) -> Array:
        """x_t of x_0 = `original` (B, ...) and `noise` of its shape, at one timestep or one a sample (B,).

        Timesteps of the run have the run's level, which Karras' spacing puts between those of the table.
        """
        ratio = np.array([self._ratio_at(int(t)) for t in np.atleast_1d(np.asarray(timesteps))])
        ratio = ratio.reshape(-1, *[1] * (original.ndim - 1))
        alpha = 1 / np.sqrt(ratio**2 + 1)
        return alpha.astype(np.float32) * original + (ratio * alpha).astype(np.float32) * noise

    def signal_rate(self, timestep: int) -> float:
        """The factor of x_0 in x_t; as of `add_noise`, timesteps of the run have the run's level."""
        return 1 / math.sqrt(self._ratio_at(timestep) ** 2 + 1)

    @abstractmethod
    def _solve(self, new: Prediction, sample: Array) -> Array:
        """x_{t-1} of x_t = `sample` and of what the model predicts there; keeps what the next steps need."""

    def _begin(self, levels: Array | Levels) -> None:
        last = 0.0 if self.config.final_sigmas_type == "zero" else _ratio(self.alphas_cumprod[:1])[0]
        self.sigmas: Array = np.append(levels, last).astype(np.float32)
        ratio = self.sigmas.astype(np.float64)
        self._alpha = 1 / np.sqrt(ratio**2 + 1)
        self._sigma = ratio * self._alpha
        with np.errstate(divide="ignore"):  # without noise, lambda is infinite
            self._lambda = np.log(self._alpha) - np.log(self._sigma)
        self._next = None
        self._known: tuple[Prediction, ...] = ()  # the newest last

    def _remember(self, new: Prediction) -> None:
        # A new tuple each time: a copy of the scheduler keeps its own.
        self._known = (*self._known, new)[-self.config.solver_order :]

    def _index_of(self, timestep: int) -> int:
        """Index in the run of the step from `timestep`."""
        if self._next is None:
            found = np.flatnonzero(self.timesteps == timestep)
            if not found.size:
                raise ValueError(f"timestep {timestep} is not one of this run's {len(self.timesteps)}")
            return int(found[0])
        if self._next == len(self.timesteps):
            raise ValueError("the run is over: set_timesteps begins another")
        if self.timesteps[self._next] != timestep:
            raise ValueError(f"timestep {timestep} is not the run's next, {self.timesteps[self._next]}")
        return self._next

    def _ratio_at(self, timestep: int) -> float:
        found = np.flatnonzero(self.timesteps == timestep)
        return float(self.sigmas[found[0]] if found.size else _ratio(self.alphas_cumprod[[timestep]])[0])

    def _limited(self, original: Array) -> Array:
        return self._thresholded(original)  # the solvers of the reference do not clip

    def _spaced(self, count: int) -> Timesteps:
        """As for other schedulers, but for count + 1 steps, the last of which, to t = 0, is left out."""
        trained = self.config.num_train_timesteps
        if self.config.timestep_spacing == "trailing":
            return super()._spaced(count)
        if self.config.timestep_spacing == "linspace":
            return np.linspace(0, trained - 1, count + 1).round()[:0:-1].astype(np.int64)
        leading = np.arange(count, 0, -1, dtype=np.int64) * max(trained // (count + 1), 1)
        return leading + min(self.config.steps_offset, trained - 1 - int(leading[0]))


def _ratio(alpha_bar: Array) -> Array:
    """sigma / alpha, in float32 as in the reference."""
    return np.sqrt((np.float32(1) - alpha_bar) / alpha_bar)


def _karras(lowest: float, highest: float, count: int) -> Levels:
    """`count` levels from the highest to the lowest, equation 5 of Karras et al."""
    ramp = np.linspace(0, 1, count)
    start, end = highest ** (1 / _KARRAS_RHO), lowest ** (1 / _KARRAS_RHO)
    levels: Levels = (start + ramp * (end - start)) ** _KARRAS_RHO
    return levels


def _timesteps_of(levels: Levels, table: Array) -> Timesteps:
    """The timesteps whose levels in `table` are nearest, by logarithm."""
    return np.interp(np.log(levels), np.log(table), np.arange(len(table))).round().astype(np.int64)
