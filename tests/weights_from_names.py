"""Weights for a model in a test, drawn from tests.random_weights: no checkpoint is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor

from kandinsky_backend.weights import Weights
from tests.random_weights import random_tensor


class NoSource:
    """A source that holds nothing."""

    shapes: Mapping[str, tuple[int, ...]] = {}

    def read(self, key: str) -> npt.NDArray[Any]:
        raise KeyError(key)

    def describe(self) -> str:
        return "no source"


@dataclass
class RandomWeights(Weights):
    """Gives any tensor that a model asks for."""

    source: NoSource = field(default_factory=NoSource)
    dtype: ms.Type = ms.float32
    seed: int = 0

    def take(self, name: str, shape: tuple[int, ...]) -> Parameter:
        values = random_tensor(f"{self.prefix}{name}", shape, self.seed)
        return Parameter(Tensor.from_numpy(values).astype(self.dtype))

    def take_to_multiply(self, name: str, shape: tuple[int, ...]) -> Parameter:
        return self.take(name, shape)


@dataclass
class RecordedShapes(Weights):
    """Records which tensors a model asks for, and allocates next to nothing."""

    source: NoSource = field(default_factory=NoSource)
    dtype: ms.Type = ms.float32
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def take(self, name: str, shape: tuple[int, ...]) -> Parameter:
        self.shapes[f"{self.prefix}{name}"] = shape
        return Parameter(Tensor.from_numpy(np.zeros(1, np.float32)))

    def take_to_multiply(self, name: str, shape: tuple[int, ...]) -> Parameter:
        return self.take(name, shape)
