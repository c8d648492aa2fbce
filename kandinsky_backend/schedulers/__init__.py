"""Schedulers: from pure noise to a sample, one step at a time. Pure functions of float32 arrays on the host.

Latents are small, so every device draws and steps here, and the same generator gives the same sample everywhere.
Tables and coefficients are computed in float32 as diffusers 0.39 (schedulers/scheduling_*.py) does: 1 - alpha loses
digits there, and golden files are compared to 1e-5.

Symbols are those of DDPM (Ho et al. 2020, arXiv 2006.11239) and DDIM (Song et al. 2020, arXiv 2010.02502): x_t is the
sample at timestep t, x_0 the finished one, alpha_bar the cumulative product of 1 - beta.
"""

from __future__ import annotations

from kandinsky_backend.schedulers.ancestral import DDPMScheduler, UnCLIPScheduler
from kandinsky_backend.schedulers.base import (
    Array,
    RandomGenerator,
    Scheduler,
    SchedulerConfig,
    SchedulerOutput,
    Timesteps,
    draw_noise,
)
from kandinsky_backend.schedulers.ddim import DDIMScheduler
from kandinsky_backend.schedulers.dpm_solver import DPMSolverMultistepScheduler
from kandinsky_backend.schedulers.unipc import UniPCMultistepScheduler

__all__ = [
    "SCHEDULERS",
    "Array",
    "DDIMScheduler",
    "DDPMScheduler",
    "DPMSolverMultistepScheduler",
    "RandomGenerator",
    "Scheduler",
    "SchedulerConfig",
    "SchedulerOutput",
    "Timesteps",
    "UnCLIPScheduler",
    "UniPCMultistepScheduler",
    "draw_noise",
]

SCHEDULERS: dict[str, type[Scheduler]] = {
    kind.__name__: kind
    for kind in (UnCLIPScheduler, DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, UniPCMultistepScheduler)
}
