"""Functions of kandinsky_backend.ops as plans of their own, on as many threads as a test wants."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor

from kandinsky_backend.ops.plans import build
from kandinsky_backend.ops.plans.native import Library, WeightStore
from kandinsky_backend.ops.plans.planned import Plan
from kandinsky_backend.ops.plans.regions import Dtype

Array = npt.NDArray[Any]


@cache
def library(threads: int) -> Library:
    return Library(build.library(), threads)


def parameter(values: Array) -> Parameter:
    return Parameter(Tensor.from_numpy(np.ascontiguousarray(values, np.float32)), requires_grad=False)


def tensors(*arrays: Array) -> list[Tensor]:
    kept = [array if array.dtype == np.int32 else array.astype(np.float32) for array in arrays]
    return [Tensor.from_numpy(np.ascontiguousarray(array)) for array in kept]


def plan(function: Callable[..., Any], *arrays: Array, threads: int = 2) -> Plan:
    """A plan of `function` for arguments of such shapes."""
    used = library(threads)
    return Plan(used, WeightStore(used), Dtype.FLOAT32, function, tensors(*arrays))


def run(function: Callable[..., Any], *arrays: Array, threads: int = 2) -> Any:
    """What a plan of `function`, which returns one tensor, gives for the arrays."""
    return plan(function, *arrays, threads=threads).run(tensors(*arrays)).asnumpy()
