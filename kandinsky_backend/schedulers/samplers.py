"""Samplers by the names that a blend's settings give them: which scheduler, with which options, takes the steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kandinsky_backend.schedulers.ancestral import DDPMScheduler
from kandinsky_backend.schedulers.base import Scheduler
from kandinsky_backend.schedulers.ddim import DDIMScheduler
from kandinsky_backend.schedulers.dpm_solver import DPMSolverMultistepScheduler
from kandinsky_backend.schedulers.unipc import UniPCMultistepScheduler

OWN = "own"

# As the original Kandinsky 2.1 calls it: from the last timestep to the first, with the variance that the UNet predicts.
# The original limits x_0 to -2 .. 2 before it thresholds; a threshold of at most 2 comes to the same.
P_SAMPLER: Mapping[str, Any] = {
    "variance_type": "learned_range",
    "timestep_spacing": "linspace",
    "clip_sample": False,
    "thresholding": True,
    "dynamic_thresholding_ratio": 0.995,
    "sample_max_value": 2.0,
}
_SOLVER: Mapping[str, Any] = {"timestep_spacing": "linspace", "thresholding": False, "solver_order": 2}

_SAMPLERS: Mapping[str, tuple[type[Scheduler], Mapping[str, Any]]] = {
    "ddim": (DDIMScheduler, {}),
    "p_sampler": (DDPMScheduler, P_SAMPLER),
    "dpm++": (DPMSolverMultistepScheduler, _SOLVER),
    "dpm++_karras": (DPMSolverMultistepScheduler, {**_SOLVER, "use_karras_sigmas": True}),
    "unipc": (UniPCMultistepScheduler, _SOLVER),
}
SAMPLERS: tuple[str, ...] = (OWN, *_SAMPLERS)


def sampler(name: str, own: Scheduler) -> Scheduler:
    """The scheduler of the sampler `name` for the model that `own`, its checkpoint's scheduler, is for.

    "own", and the name of a sampler that `own` is, give `own` itself.

    Raises:
        ValueError: there is no such sampler.
    """
    if name == OWN:
        return own
    if name not in _SAMPLERS:
        raise ValueError(f"there is no sampler {name!r}: only {', '.join(SAMPLERS)}")
    kind, changes = _SAMPLERS[name]
    return own if type(own) is kind else kind.from_config(own.config, **changes)
