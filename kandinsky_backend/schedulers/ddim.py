"""DDIM: steps that add no noise, or as much as is asked for."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kandinsky_backend.schedulers.base import ONE, Array, RandomGenerator, Scheduler, SchedulerOutput, draw_noise


class DDIMScheduler(Scheduler):
    """Deterministic steps of DDIM, or noisy ones with eta > 0. Reference: diffusers, schedulers/scheduling_ddim.py."""

    implemented: ClassVar = {
        "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
        "prediction_type": ("epsilon", "sample", "v_prediction"),
        "timestep_spacing": ("leading", "trailing", "linspace"),
    }

    def adds_noise(self, timestep: int) -> bool:
        """Whether the step draws noise: never with eta = 0."""
        return False

    def step(
        self, model_output: Array, timestep: int, sample: Array, *, generator: RandomGenerator = None, eta: float = 0.0
    ) -> SchedulerOutput:
        """From x_t to x_{t-1}, equations 12 and 16 of DDIM; eta = 1 adds as much noise as DDPM does."""
        model_output, _ = self._split(model_output, sample)
        alpha_bar, alpha_bar_prev = self.alphas_cumprod[timestep], self._alpha_bar_before(timestep)
        original, noise = self._predict(model_output, sample, np.sqrt(alpha_bar), np.sqrt(ONE - alpha_bar))
        variance = (ONE - alpha_bar_prev) / (ONE - alpha_bar) * (ONE - alpha_bar / alpha_bar_prev)
        deviation = np.float32(eta) * np.sqrt(variance)
        direction = np.sqrt(ONE - alpha_bar_prev - deviation * deviation) * noise
        previous = np.sqrt(alpha_bar_prev) * original + direction
        if eta > 0:
            previous = previous + deviation * draw_noise(sample.shape, generator)
        return SchedulerOutput(previous, original)

    def _alpha_bar_before(self, timestep: int) -> np.float32:
        """Alpha bar of the timestep one regular stride before, as the reference has it, whatever the spacing."""
        previous = timestep - self.config.num_train_timesteps // len(self.timesteps)
        if previous >= 0:
            return np.float32(self.alphas_cumprod[previous])
        return ONE if self.config.set_alpha_to_one else np.float32(self.alphas_cumprod[0])
