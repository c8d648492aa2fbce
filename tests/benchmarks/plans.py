"""How fast plans are beside MindSpore's own operators: alternately, in one process.

    .venv/bin/python -m tests.benchmarks.plans [--full] [--size 512] [--repeats 10]

Runs a step of the UNet and a decoding of MoVQ in both halves, of the small model's sizes or with --full of the
published ones, on random weights; then shows where a plan's time goes. Read the ratios: machines differ, and are noisy.
Without --full it takes some seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor

from kandinsky_backend import device
from kandinsky_backend.models.layers import timestep_sinusoid
from kandinsky_backend.models.movq import MoVQ, MoVQConfig
from kandinsky_backend.models.unet import UNet2DConditionModel, UNetConfig
from kandinsky_backend.ops.plans.planned import leaves, plans_of
from kandinsky_backend.ops.plans.runtime import executor, switched_off
from kandinsky_backend.ops.stored import StoredWeight
from tests.golden import configs_unet_movq as published
from tests.random_weights import random_input
from tests.weights_from_names import RandomWeights

SMALL = Path(__file__).parents[2] / "kandinsky_backend" / "embedded" / "decoder"
VALUES = random_input("values", (1 << 20,))
ROWS = 15  # of the profile


class RepeatedWeights(RandomWeights):
    """Random values that repeat, which are quick to make; what a plan repacks takes no memory beside it."""

    def take(self, name: str, shape: tuple[int, ...]) -> Parameter:
        return Parameter(Tensor.from_numpy(_values(shape)), requires_grad=False)

    def take_to_multiply(self, name: str, shape: tuple[int, ...]) -> Any:
        return StoredWeight(shape, ms.float32, lambda: _values(shape))


def _values(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    scale = 0.1 if len(shape) == 1 else float(np.prod(shape[1:])) ** -0.5
    return np.resize(VALUES, shape) * np.float32(scale)


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor.from_numpy(random_input(name, shape))


class Case(NamedTuple):
    """A method of a model that is planned, and what it is called with."""

    model: Any
    method: str
    arguments: tuple[Any, ...]

    def run(self) -> Tensor:
        return getattr(self.model, self.method)(*self.arguments)


def unet_step(config: UNetConfig, side: int) -> Case:
    """A guided step of a UNet on latents of `side` x `side`."""
    model = UNet2DConditionModel(config, RepeatedWeights())
    width = config.cross_attention_dim
    embeds = (tensor(name, 2, width) for name in ("text", "image"))
    conditioning = model.condition(model.project_text(tensor("hidden", 2, 77, config.encoder_hid_dim)), *embeds)
    sinusoids = timestep_sinusoid(500, 2, config.block_out_channels[0])
    sample = tensor("sample", 2, config.in_channels, side, side)
    return Case(model, "predict", (sample, sinusoids, conditioning))


def movq_decode(config: MoVQConfig, side: int) -> Case:
    """The decoding by a MoVQ of latents of `side` x `side`."""
    return Case(MoVQ(config, RepeatedWeights()), "decode", (tensor("latents", 1, config.latent_channels, side, side),))


def compare(name: str, call: Callable[[], Tensor], repeats: int) -> None:
    """Time the two halves alternately; the first call of each, which plans and compiles, is shown apart."""
    started = time.perf_counter()
    ours = call().asnumpy()
    first = time.perf_counter() - started
    with switched_off():
        theirs = call().asnumpy()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        times[0].append(_seconds(call))
        with switched_off():
            times[1].append(_seconds(call))
    plans, operators = (float(np.median(half)) for half in times)
    print(
        f"{name:28} plans {plans * 1e3:9.1f} ms, operators {operators * 1e3:9.1f} ms: {plans / operators:5.2f}; "
        f"first {first:.1f} s, worst difference {np.abs(ours - theirs).max():.1e}",
        flush=True,
    )


def _seconds(call: Callable[[], Tensor]) -> float:
    started = time.perf_counter()
    call().asnumpy()
    return time.perf_counter() - started


def profile(case: Case) -> None:
    """Show the steps of a plan that take longest, equal ones together."""
    plans = plans_of(case.model)
    assert plans is not None
    plan = next(plan for key, plan in plans.plans.items() if key[0] == case.method)
    took: Counter[str] = Counter()
    for what, seconds in plan.time(list(leaves(case.arguments))):
        took[what] += seconds
    total = sum(took.values())
    print(f"  {total * 1e3:.1f} ms, arena {plan.native.arena_bytes >> 20} MB, weights {plans.store.nbytes >> 20} MB")
    for what, seconds in took.most_common(ROWS):
        print(f"  {seconds * 1e3:9.1f} ms {seconds / total:6.1%} {what}")


def measure(name: str, case: Case, repeats: int) -> None:
    """Compare the halves, and show the profile."""
    compare(name, case.run, repeats)
    profile(case)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the published sizes: minutes, and up to 16 GB of memory")
    parser.add_argument("--size", type=int, help="px, of both sides; 512, and for the small model 192")
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    device.prepare()
    library = executor()
    if library is None:
        raise SystemExit("there is no executor here: see what was logged")
    print(f"MindSpore {ms.__version__}, oneDNN {library.onednn_version()}, {library.threads} threads, float32")
    unet = published.UNET_FULL if arguments.full else json.loads((SMALL / "unet" / "config.json").read_text())
    movq = published.MOVQ_FULL if arguments.full else json.loads((SMALL / "movq" / "config.json").read_text())
    side = (arguments.size or (512 if arguments.full else 192)) // 8
    measure(f"UNet, guided, {8 * side} px", unet_step(UNetConfig.from_dict(unet), side), arguments.repeats)
    measure(f"MoVQ decode, {8 * side} px", movq_decode(MoVQConfig.from_dict(movq), side), arguments.repeats)


if __name__ == "__main__":
    main()
