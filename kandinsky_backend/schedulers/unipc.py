"""UniPC (Zhao et al. 2023, arXiv 2302.04867): each step predicts, and corrects the step before at no cost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from kandinsky_backend.schedulers.base import Array, SchedulerConfig
from kandinsky_backend.schedulers.multistep import Levels, MultistepScheduler, Prediction


class UniPCMultistepScheduler(MultistepScheduler):
    """UniPC with B(h) = h ("bh1") or exp(h) - 1 ("bh2"), order `solver_order`, on the predicted x_0.

    Reference: diffusers, schedulers/scheduling_unipc_multistep.py. A model's variance is never taken.
    """

    implemented: ClassVar = {
        **MultistepScheduler.implemented,
        "solver_order": (1, 2, 3),
        "solver_type": ("bh1", "bh2"),
    }
    aliases: ClassVar = {"solver_type": dict.fromkeys(("midpoint", "heun", "logrho"), "bh2")}
    defaults: ClassVar = SchedulerConfig(timestep_spacing="linspace", solver_type="bh2")

    def _begin(self, levels: Array | Levels) -> None:
        super()._begin(levels)
        self._last: tuple[Array, int] | None = None  # the sample that the last step began with, and its order

    def _solve(self, new: Prediction, sample: Array) -> Array:
        if self._last is not None:
            sample = self._corrected(new, *self._last)
        self._remember(new)
        order = self._order(new.index)
        self._last = sample, order
        return self._from(sample, self._known[-order:], new.index + 1, None)

    def _corrected(self, new: Prediction, last_sample: Array, order: int) -> Array:
        """The sample that `new` was predicted of, computed again with `new` known."""
        return self._from(last_sample, self._known[-order:], new.index, new.original)

    def _order(self, index: int) -> int:
        left = len(self.timesteps) - index
        if left == 1 and self.config.final_sigmas_type == "zero":  # h is infinite
            return 1
        order = min(self.config.solver_order, left) if self.config.lower_order_final else self.config.solver_order
        return min(order, len(self._known))

    def _from(self, sample: Array, known: Sequence[Prediction], t: int, at_t: Array | None) -> Array:
        """x at level `t`, of `sample` at the level of known[-1]: predicted, or corrected with the x_0 seen `at_t`."""
        now, older = known[-1], known[-2::-1]
        h = float(self._lambda[t] - self._lambda[now.index])
        places = [float(self._lambda[one.index] - self._lambda[now.index]) / h for one in older]
        slopes = [(one.original - now.original) / place for one, place in zip(older, places, strict=True)]
        if at_t is not None:
            places, slopes = [*places, 1.0], [*slopes, at_t - now.original]
        change = float(np.expm1(-h)) * now.original
        if slopes:
            b = -h if self.config.solver_type == "bh1" else float(np.expm1(-h))
            weights = _weights(places, h, b)
            change = change + b * sum(weight * slope for weight, slope in zip(weights, slopes, strict=True))
        return float(self._sigma[t] / self._sigma[now.index]) * sample - float(self._alpha[t]) * change


def _weights(places: Sequence[float], h: float, b: float) -> list[float]:
    """Weights of the differences to predictions at `places`, in steps of h from the newest.

    A single one counts a half, which keeps the order; more of them integrate polynomials exactly.
    """
    if len(places) == 1:
        return [0.5]
    powers = np.asarray(places) ** np.arange(len(places))[:, None]
    return [float(weight) for weight in np.linalg.solve(powers, np.array(list(_moments(-h, len(places)))) / b)]


def _moments(z: float, count: int) -> Iterator[float]:
    """n! z phi_{n+1}(z) for n = 1 to `count`; phi_1(z) = (exp(z) - 1) / z and phi_{n+1}(z) = (phi_n(z) - 1/n!) / z."""
    term, factorial = math.expm1(z) / z - 1, 1
    for n in range(1, count + 1):
        yield term * factorial
        factorial *= n + 1
        term = term / z - 1 / factorial
