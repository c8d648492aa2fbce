"""The work that a plan's steps are: operations and bytes, which bound their time from below on any machine."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from math import prod
from typing import Any, NamedTuple

from kandinsky_backend.ops.plans import steps as plan_steps
from kandinsky_backend.ops.plans import trace
from kandinsky_backend.ops.plans.planned import leaves
from kandinsky_backend.ops.plans.planner import plan_steps as planned_steps
from kandinsky_backend.ops.plans.regions import Dtype, Region
from kandinsky_backend.ops.plans.steps import Step


class Work(NamedTuple):
    """Operations (a product and its sum are two), and bytes that are read or written once each."""

    flop: float
    bytes: float


def work_of(method: Callable[..., Any], *shapes: Any) -> Work:
    """The work of a model's method in float32; its arguments as they are nested, with shapes for tensors."""
    numbers = itertools.count()

    def stand_in(shape: Any) -> Any:
        if isinstance(shape, list):
            return [stand_in(each) for each in shape]
        if hasattr(shape, "_fields"):
            return type(shape)(*map(stand_in, shape))
        return trace.argument(next(numbers), shape, Dtype.FLOAT32)

    outputs = list(leaves(method(*map(stand_in, shapes))))
    return total(planned_steps(outputs, next(numbers), Dtype.FLOAT32))


def total(steps: Iterable[Step]) -> Work:
    """The sum of all steps' work."""
    each = [(flop_of(step), bytes_of(step)) for step in steps]
    return Work(sum(flop for flop, _ in each), sum(size for _, size in each))


def flop_of(step: Step) -> float:
    """Operations of the products in a step, convolutions counted as direct ones; other steps count as none."""
    if isinstance(step, plan_steps.Linear | plan_steps.Convolution | plan_steps.Winograd):
        weight = step.weight
        inputs = weight.stop - weight.start
        return 2.0 * prod(step.dst.shape) * inputs * prod(weight.weight.shape[2:])
    if isinstance(step, plan_steps.Attention):
        keys = sum(part.shape[2] for part in step.keys)
        return 4.0 * prod(step.query.shape) * keys
    return 0.0


def bytes_of(step: Step) -> float:
    """Bytes of what a step reads and writes, its weights as they are stored in float32."""
    size = sum(_bytes(region) for region in step.regions())
    weight = getattr(step, "weight", None)
    if isinstance(weight, plan_steps.WeightPart):
        size += 4 * prod(weight.weight.shape) * (weight.stop - weight.start) // weight.weight.shape[1]
    return float(size)


def _bytes(region: Region) -> int:
    sizes = (size for size, stride in zip(region.shape, region.strides, strict=True) if stride)
    return prod(sizes) * region.dtype.nbytes
