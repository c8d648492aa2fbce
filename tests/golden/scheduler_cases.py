"""What the scheduler goldens run: in make_schedulers.py with diffusers, in test_schedulers.py with ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.random_weights import random_input

SHAPE = (2, 4, 2, 3)  # of the sample
KEPT = 4  # samples kept of a trajectory, the last among them

KANDINSKY_PRIOR = {"prediction_type": "sample", "clip_sample_range": 5.0}
KANDINSKY = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
KANDINSKY_DDPM = {"beta_start": 0.00085, "beta_end": 0.012, "clip_sample": False}


@dataclass(frozen=True)
class Case:
    """A whole run of `steps` steps of a scheduler of class `scheduler`."""

    scheduler: str
    steps: int
    options: dict[str, Any]
    step_options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        options = [f"{key}={value}" for key, value in {**self.options, **self.step_options}.items()]
        return " ".join([self.scheduler, str(self.steps), *options])

    @property
    def learned(self) -> bool:
        return self.scheduler != "DDIMScheduler" and "learned" in self.options.get("variance_type", "")


def cases() -> list[Case]:
    found = []
    for steps in (2, 5, 25, 50, 100, 1000):
        found.append(Case("UnCLIPScheduler", steps, KANDINSKY_PRIOR))
        found.append(Case("UnCLIPScheduler", steps, {"variance_type": "learned_range"}))
    for steps in (1, 2, 5, 25, 50, 100):
        found.append(Case("DDIMScheduler", steps, KANDINSKY))
        found.append(Case("DDPMScheduler", steps, {**KANDINSKY_DDPM, "variance_type": "learned_range"}))
    for steps in (999, 1000):
        found.append(Case("DDIMScheduler", steps, {**KANDINSKY, "steps_offset": 0}))
        found.append(Case("DDPMScheduler", steps, KANDINSKY_DDPM))
    for eta in (0.5, 1.0):
        found.append(Case("DDIMScheduler", 25, KANDINSKY, {"eta": eta}))
    for variance in ("fixed_small", "fixed_small_log", "fixed_large", "learned", "learned_range"):
        found.append(Case("DDPMScheduler", 25, {"variance_type": variance}))
        found.append(Case("DDPMScheduler", 25, {"variance_type": variance, "steps_offset": 1}))
    for scheduler in ("DDIMScheduler", "DDPMScheduler"):
        found.append(Case(scheduler, 25, {"thresholding": True, "sample_max_value": 1.5}))
        for schedule in ("scaled_linear", "squaredcos_cap_v2"):
            found.append(Case(scheduler, 25, {"beta_schedule": schedule, "clip_sample_range": 2.0}))
        for prediction in ("sample", "v_prediction"):
            found.append(Case(scheduler, 25, {"prediction_type": prediction}))
        for spacing in ("linspace", "trailing"):
            found += [Case(scheduler, steps, {"timestep_spacing": spacing}) for steps in (1, 7, 50)]
    return found


def first_sample() -> npt.NDArray[np.float32]:
    return random_input("scheduler sample", SHAPE)


def model_output(case: Case, index: int, sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What a model that is roughly right says at step `index` about `sample`: mostly noise."""
    output = np.float32(0.9) * sample + np.float32(0.3) * random_input(f"scheduler output {index}", SHAPE)
    if not case.learned:
        return output
    variance = np.abs(random_input(f"scheduler variance {index}", SHAPE)).clip(0, 1)
    return np.concatenate([output, variance], axis=1)


def kept(steps: int) -> list[int]:
    """Indices of the steps whose sample is kept."""
    return sorted({round(step) for step in np.linspace(0, steps - 1, KEPT)})
