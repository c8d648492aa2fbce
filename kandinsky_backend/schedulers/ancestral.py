"""DDPM and UnCLIP: each step draws from the posterior."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kandinsky_backend.schedulers.base import (
    LEARNED,
    ONE,
    Array,
    RandomGenerator,
    Scheduler,
    SchedulerConfig,
    SchedulerOutput,
    Timesteps,
    draw_noise,
)


class _AncestralScheduler(Scheduler):
    """Steps by drawing from the posterior q(x_{t-1} | x_t, x_0), equations 6 and 7 of DDPM."""

    @property
    def predicts_variance(self) -> bool:
        return self.config.variance_type in LEARNED

    def step(
        self, model_output: Array, timestep: int, sample: Array, *, generator: RandomGenerator = None
    ) -> SchedulerOutput:
        model_output, predicted_variance = self._split(model_output, sample)
        t, t_prev = timestep, self._previous(timestep)
        alpha_bar, alpha_bar_prev = self.alphas_cumprod[t], self._alpha_bar(t_prev)
        beta_bar, beta_bar_prev = ONE - alpha_bar, ONE - alpha_bar_prev
        beta, alpha = self._beta(t, t_prev)
        original, _ = self._predict(model_output, sample, np.sqrt(alpha_bar), np.sqrt(beta_bar))
        previous = np.sqrt(alpha_bar_prev) * beta / beta_bar * original
        previous = previous + np.sqrt(alpha) * beta_bar_prev / beta_bar * sample
        if self.adds_noise(t):
            deviation = self._deviation(beta_bar_prev / beta_bar * beta, beta, predicted_variance)
            previous = previous + deviation * draw_noise(sample.shape, generator)
        return SchedulerOutput(previous, original)

    def _previous(self, timestep: int) -> int:
        """The timestep after `timestep` in the run, or -1 at its end."""
        found = np.flatnonzero(self.timesteps == timestep)
        if not found.size:
            raise ValueError(f"timestep {timestep} is not one of this run's {len(self.timesteps)}")
        following = self.timesteps[found[0] + 1 :]
        return int(following[0]) if following.size else -1

    def _alpha_bar(self, timestep: int) -> np.float32:
        return ONE if timestep < 0 else np.float32(self.alphas_cumprod[timestep])

    def _beta(self, t: int, t_prev: int) -> tuple[np.float32, np.float32]:
        """beta and alpha = 1 - beta of a step that may leave out some timesteps."""
        alpha = np.float32(self.alphas_cumprod[t] / self._alpha_bar(t_prev))
        return ONE - alpha, alpha

    def _deviation(self, variance: np.float32, beta: np.float32, predicted: Array | None) -> Array | np.float32:
        """Standard deviation of the noise to add. `variance` is the posterior's for known x_0, a lower bound."""
        variance = max(variance, np.float32(1e-20))
        kind = self.config.variance_type
        if kind == "fixed_large":
            return np.sqrt(beta)
        if predicted is None:
            return np.exp(np.float32(0.5) * np.log(variance)) if kind == "fixed_small_log" else np.sqrt(variance)
        if kind == "learned":
            return np.sqrt(predicted)
        # learned_range, section 3 of Improved DDPM (arXiv 2102.09672): between the bounds, in logarithms
        share = (predicted + ONE) / np.float32(2)
        return np.exp(np.float32(0.5) * (share * np.log(beta) + (ONE - share) * np.log(variance)))


class DDPMScheduler(_AncestralScheduler):
    """Ancestral sampling of DDPM. Reference: diffusers, schedulers/scheduling_ddpm.py."""

    implemented: ClassVar = {
        "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
        "prediction_type": ("epsilon", "sample", "v_prediction"),
        "variance_type": ("fixed_small", "fixed_small_log", "fixed_large", *LEARNED),
        "timestep_spacing": ("leading", "trailing", "linspace"),
    }

    def adds_noise(self, timestep: int) -> bool:
        return timestep > 0


class UnCLIPScheduler(_AncestralScheduler):
    """DDPM as the image prior was trained with it. Reference: diffusers, schedulers/scheduling_unclip.py.

    Its timesteps reach from the last to 0, both included. A single step, which divides by zero in the reference,
    starts from the last: the answer to pure noise is the x_0 that the model sees in it.
    """

    implemented: ClassVar = {
        "beta_schedule": ("squaredcos_cap_v2",),
        "prediction_type": ("epsilon", "sample"),
        "variance_type": ("fixed_small_log", "learned_range"),
    }
    defaults: ClassVar = SchedulerConfig(beta_schedule="squaredcos_cap_v2", variance_type="fixed_small_log")

    def adds_noise(self, timestep: int) -> bool:
        return self._previous(timestep) >= 0

    def _spaced(self, count: int) -> Timesteps:
        last = self.config.num_train_timesteps - 1
        if count == 1:
            return np.array([last], dtype=np.int64)
        return (np.arange(count) * (last / (count - 1))).round()[::-1].astype(np.int64)

    def _beta(self, t: int, t_prev: int) -> tuple[np.float32, np.float32]:
        # Between neighbours the table's own value: 1 - ratio has lost digits, which shows at small t.
        beta = self.betas[t] if t_prev == t - 1 else super()._beta(t, t_prev)[0]
        return beta, ONE - beta
