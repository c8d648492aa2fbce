"""Write schedulers.npz: whole runs of diffusers' schedulers. Needs torch and diffusers 0.39, and nothing of ours.

python -m tests.golden.make_schedulers
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

from tests.golden.scheduler_cases import Case, cases, first_sample, kept, model_output


def draw(shape: Any, generator: np.random.Generator, **_: Any) -> torch.Tensor:
    return torch.from_numpy(generator.standard_normal(tuple(shape)).astype(np.float32))


def draw_noise_with_numpy() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("diffusers.") and hasattr(module, "randn_tensor"):
            module.randn_tensor = draw


def trajectory(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """The run's timesteps, and the samples after the kept steps."""
    scheduler = getattr(diffusers, case.scheduler)(**case.options)
    scheduler.set_timesteps(case.steps)
    if case.exact:
        scheduler.sigmas = scheduler.sigmas.double()  # from which each step computes its coefficients
    generator = np.random.Generator(np.random.PCG64(7))
    sample = torch.from_numpy(first_sample(case))
    samples = []
    timesteps = scheduler.timesteps.tolist()
    for index, t in enumerate(timesteps):
        options = dict(case.step_options)
        if case.scheduler != "UniPCMultistepScheduler":  # which never draws
            options["generator"] = generator
        if case.scheduler == "UnCLIPScheduler":
            options["prev_timestep"] = timesteps[index + 1] if index + 1 < len(timesteps) else None
        output = torch.from_numpy(model_output(case, index, sample.numpy()))
        sample = scheduler.step(output, t, sample, **options).prev_sample
        samples.append(sample.numpy())
    return np.array(timesteps, np.int16), np.stack([samples[index] for index in kept(len(samples))])


def main() -> None:
    draw_noise_with_numpy()
    arrays = {}
    for case in cases():
        arrays[f"{case.name}/timesteps"], arrays[f"{case.name}/samples"] = trajectory(case)
        print(case.name, np.abs(arrays[f"{case.name}/samples"]).max())
    np.savez_compressed(Path(__file__).with_name("schedulers.npz"), **arrays)


if __name__ == "__main__":
    main()
