"""One training loop for every part: seeded, resumable, with an average of the weights and a log of the losses."""

from __future__ import annotations

import csv
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

Losses = Mapping[str, Tensor]  # "loss" is what is minimised; the others are only logged


@dataclass(frozen=True)
class Run:
    """Where a part is trained, and how much larger than for two CPU cores. Its state and log go to `folder`."""

    folder: Path
    seed: int
    device: torch.device
    batch_factor: int = 1
    step_factor: float = 1.0


@contextmanager
def reduced_precision(device: torch.device) -> Iterator[None]:
    """Products in bfloat16 where the device is quicker so: twice on a processor with AVX512_BF16, more on a GPU."""
    quicker = device.type == "cuda" or torch.cpu._is_avx512_bf16_supported()
    attention = list(SDPBackend.__members__.values()) if device.type == "cuda" else [SDPBackend.MATH]
    with torch.autocast(device.type, torch.bfloat16, enabled=quicker), sdpa_kernel(attention):
        yield


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a part learns."""

    steps: int
    learning_rate: float
    warmup: int = 100
    weight_decay: float = 0.01
    average: float = 0.998  # the decay of the running average of the weights
    save_every: int = 200
    log_every: int = 20

    def rate(self, step: int) -> float:
        """Linear warm-up, then half a cosine down to a fiftieth."""
        progress = step / self.steps
        return (
            self.learning_rate * min(1, (step + 1) / self.warmup) * (0.02 + 0.49 * (1 + math.cos(math.pi * progress)))
        )


def train(module: nn.Module, losses: Callable[[np.random.Generator], Losses], schedule: Schedule, run: Run) -> None:
    """Train `module` in place, from where the run's folder left it, and leave there the running average of it too.

    Step i of worker w draws all its randomness from (seed, i, w), so a resumed run takes the steps that an unbroken one
    would. Workers each take a batch of their own and share the gradients.
    """
    run.folder.mkdir(parents=True, exist_ok=True)
    schedule = replace(schedule, steps=round(schedule.steps * run.step_factor))
    average = deepcopy(module).requires_grad_(False)
    optimizer = torch.optim.AdamW(module.parameters(), betas=(0.9, 0.99), weight_decay=schedule.weight_decay)
    first = _resume(run.folder, module, average, optimizer)
    worker = distributed.get_rank() if distributed.is_initialized() else 0
    log = Log(run.folder / "log.csv", schedule.log_every)
    for step in range(first, schedule.steps):
        values = _step(module, losses, optimizer, schedule.rate(step), (run.seed, step, worker))
        _follow(average, module, min(schedule.average, (step + 1) / (step + 10)))
        if worker > 0:
            continue
        log.add(step, values)
        if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
            _save(run.folder, step + 1, module, average, optimizer)


def _step(
    module: nn.Module,
    losses: Callable[[np.random.Generator], Losses],
    optimizer: torch.optim.Optimizer,
    rate: float,
    seed: tuple[int, int, int],
) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    torch.manual_seed(int(rng.integers(2**63)))
    for group in optimizer.param_groups:
        group["lr"] = rate
    values = losses(rng)
    optimizer.zero_grad(set_to_none=True)
    values["loss"].backward()
    if distributed.is_initialized():
        _share_gradients(module)
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    return {name: float(value) for name, value in values.items()}


def _share_gradients(module: nn.Module) -> None:
    """Give every worker the mean of all workers' gradients, in one message."""
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    joined = torch.cat([g.flatten() for g in gradients]) / distributed.get_world_size()
    distributed.all_reduce(joined)
    for gradient, part in zip(gradients, joined.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


@torch.no_grad()
def _follow(average: nn.Module, module: nn.Module, decay: float) -> None:
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)
    for kept, buffer in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(buffer)


def finish(module: nn.Module, folder: Path) -> None:
    """Leave `module` in `folder` as if all its training were done."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder, sys.maxsize, module, module, torch.optim.AdamW(module.parameters()))


def _save(folder: Path, step: int, module: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    state = {
        "step": step,
        "module": module.state_dict(),
        "average": average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    partial = folder / "state.partial"
    torch.save(state, partial)
    partial.replace(folder / "state.pt")


def _resume(folder: Path, module: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Steps already taken."""
    if not (folder / "state.pt").exists():
        return 0
    state = torch.load(folder / "state.pt", weights_only=True, map_location="cpu")
    module.load_state_dict(state["module"])
    average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def trained(module: nn.Module, folder: Path) -> nn.Module:
    """`module` with the averaged weights that `train` left in `folder`, ready to use."""
    module.load_state_dict(torch.load(folder / "state.pt", weights_only=True, map_location="cpu")["average"])
    return module.eval().requires_grad_(False)


class Log:
    """Means of the losses, every few steps a line of step, seconds and values."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every, self.sums, self.start = path, every, dict[str, float](), time.monotonic()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value / self.every
        if (step + 1) % self.every == 0:
            self._write(step + 1)

    def _write(self, step: int) -> None:
        row = {"step": step, "seconds": round(time.monotonic() - self.start, 1)} | {
            k: f"{v:.5g}" for k, v in self.sums.items()
        }
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, row)
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(self.path.parent.name, *(f"{k} {v}" for k, v in row.items()), flush=True)
        self.sums.clear()
