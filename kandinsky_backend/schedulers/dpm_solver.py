"""DPM-Solver++ (Lu et al. 2022, arXiv 2211.01095), the multistep variant: 2M with `solver_order` 2."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from kandinsky_backend.schedulers.base import LEARNED, Array, SchedulerConfig
from kandinsky_backend.schedulers.multistep import MultistepScheduler, Prediction

_FEW_STEPS = 15  # with fewer, `lower_order_final` ends with a step of order 1


class DPMSolverMultistepScheduler(MultistepScheduler):
    """DPM-Solver++ of order 1 or 2. Reference: diffusers, schedulers/scheduling_dpmsolver_multistep.py.

    A learned variance is dropped; the reference keeps 3 channels of any model output then, which suits pictures only.
    """

    implemented: ClassVar = {
        **MultistepScheduler.implemented,
        "algorithm_type": ("dpmsolver++",),
        "solver_order": (1, 2),
        "solver_type": ("midpoint", "heun"),
    }
    aliases: ClassVar = {
        "algorithm_type": {"deis": "dpmsolver++"},
        "solver_type": dict.fromkeys(("bh1", "bh2", "logrho"), "midpoint"),
    }
    defaults: ClassVar = SchedulerConfig(timestep_spacing="linspace", variance_type=None)

    @property
    def predicts_variance(self) -> bool:
        return self.config.variance_type in LEARNED

    def _solve(self, new: Prediction, sample: Array) -> Array:
        self._remember(new)
        t, s = new.index + 1, new.index
        h = float(self._lambda[t] - self._lambda[s])
        fall = float(self._alpha[t] * np.expm1(-h))
        previous = float(self._sigma[t] / self._sigma[s]) * sample - fall * new.original
        if self._order(new.index) == 1:
            return previous
        older = self._known[-2]
        slope = h / float(self._lambda[s] - self._lambda[older.index]) * (new.original - older.original)
        if self.config.solver_type == "midpoint":
            return previous - 0.5 * fall * slope
        return previous + (fall / h + float(self._alpha[t])) * slope

    def _order(self, index: int) -> int:
        count = len(self.timesteps)
        few = self.config.lower_order_final and count < _FEW_STEPS
        to_clear = self.config.final_sigmas_type == "zero"  # h is infinite
        if index == count - 1 and (few or to_clear or self.config.euler_at_final):
            return 1
        return min(self.config.solver_order, len(self._known))
