"""What the scheduler goldens run: in make_schedulers.py with diffusers, in test_schedulers.py with ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.random_weights import random_input

SHAPE = (2, 4, 2, 3)  # of most samples
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
KANDINSKY_SOLVER = {"beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
# The p_sampler of the original Kandinsky 2.1, and what 2-1/ddpm_scheduler says but for the spacing.
P_SAMPLER = {
    **KANDINSKY_DDPM,
    "variance_type": "learned_range",
    "timestep_spacing": "linspace",
    "thresholding": True,
    "sample_max_value": 2.0,
}
SOLVERS = ("DPMSolverMultistepScheduler", "UniPCMultistepScheduler")


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

    @property
    def exact(self) -> bool:
        """Whether the reference's coefficients are float64: in float32, UniPC's lose their digits in short steps."""
        return self.scheduler == "UniPCMultistepScheduler" and self.steps > 100

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the sample: 3 channels where the reference takes the first 3 of any output that holds a variance."""
        return (2, 3, 2, 3) if self.learned and self.scheduler in SOLVERS else SHAPE


def cases() -> list[Case]:
    return [*_one_step_cases(), *_solver_cases()]


def _solver_cases() -> list[Case]:
    """Not as many steps as were trained: some steps have no length then, which the reference divides by."""
    found = []
    for solver in SOLVERS:
        for steps in (1, 2, 5, 8, 14, 15, 20, 50, 999):
            found.append(Case(solver, steps, KANDINSKY_SOLVER))
            found.append(Case(solver, steps, {**KANDINSKY_SOLVER, "use_karras_sigmas": True}))
        for changes in _solver_changes(solver):
            found += [Case(solver, steps, {**KANDINSKY_SOLVER, **changes}) for steps in (8, 20)]
        for spacing in ("leading", "trailing"):
            changes = {"timestep_spacing": spacing}
            found += [Case(solver, steps, {**KANDINSKY_SOLVER, **changes}) for steps in (1, 7, 50, 300)]
        for schedule in ("scaled_linear", "squaredcos_cap_v2"):
            found.append(Case(solver, 20, {"beta_schedule": schedule}))
        for prediction in ("sample", "v_prediction"):
            found.append(Case(solver, 20, {"prediction_type": prediction}))
        found.append(Case(solver, 20, {**KANDINSKY_SOLVER, "thresholding": True, "sample_max_value": 1.5}))
    for variance in ("learned", "learned_range"):
        found.append(Case(SOLVERS[0], 20, {**KANDINSKY_SOLVER, "variance_type": variance}))
    return found


def _solver_changes(solver: str) -> list[dict[str, Any]]:
    karras = {"use_karras_sigmas": True}
    common = [
        {"solver_order": 1},
        {"lower_order_final": False, "final_sigmas_type": "sigma_min"},
        {"final_sigmas_type": "sigma_min"},
    ]
    if solver == "DPMSolverMultistepScheduler":
        return [*common, {"solver_type": "heun"}, {"solver_type": "heun", **karras}, {"euler_at_final": True}]
    return [
        *common,
        {"solver_order": 3},
        {"solver_order": 3, **karras},
        {
            "solver_type": "bh1",
            "final_sigmas_type": "sigma_min",
        },  # with "zero", the reference's last sample is no number
        {"solver_type": "bh1", "solver_order": 3, "final_sigmas_type": "sigma_min"},
    ]


def _one_step_cases() -> list[Case]:
    found = [Case("DDPMScheduler", steps, P_SAMPLER) for steps in (1, 2, 10, 50, 100, 1000)]
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


def first_sample(case: Case) -> npt.NDArray[np.float32]:
    return random_input("scheduler sample", case.shape)


def model_output(case: Case, index: int, sample: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """What a model that is roughly right says at step `index` about `sample`: mostly noise."""
    output = np.float32(0.9) * sample + np.float32(0.3) * random_input(f"scheduler output {index}", case.shape)
    if not case.learned:
        return output
    variance = np.abs(random_input(f"scheduler variance {index}", case.shape)).clip(0, 1)
    return np.concatenate([output, variance], axis=1)


def kept(steps: int) -> list[int]:
    """Indices of the steps whose sample is kept."""
    return sorted({round(step) for step in np.linspace(0, steps - 1, KEPT)})
