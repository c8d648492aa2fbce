"""Weights by name, taken one by one while a model is built: strict about what is missing, extra or misshapen.

A model is a tree of cells, each built *from* its weights:

    class Linear(nn.Cell):
        def __init__(self, weights, in_features, out_features):
            super().__init__()
            self.weight = weights.take("weight", (out_features, in_features))

    weights = Weights(source, ms.float32)
    model = UNet(config, weights)
    weights.finish()          # raises when the checkpoint holds a tensor that no cell took

so a model never exists half loaded, no memory is spent on values that loading would overwrite, and a parameter's name
in the model is its key in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor


class WeightsError(ValueError):
    """A checkpoint does not hold exactly the tensors that the model needs."""


class TensorSource(Protocol):
    """Where tensors come from: a safetensors file, several shards, or a generator of random values."""

    def keys(self) -> Iterable[str]:
        """Names of all the tensors that are there."""

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of a tensor, without reading it."""

    def read(self, key: str) -> npt.NDArray[np.floating]:
        """A tensor's values: float16, float32, or bfloat16 already widened to float32."""

    def describe(self) -> str:
        """What to call this source in an error message: a file's or folder's path."""


@dataclass
class Weights:
    """A view of a source below `prefix`; every tensor taken becomes a Parameter of `dtype`.

    `ignore` names keys that published checkpoints hold and no model uses (position-id buffers).
    """

    source: TensorSource
    dtype: ms.Type
    prefix: str = ""
    ignore: frozenset[str] = frozenset()
    taken: set[str] = field(default_factory=set)

    def child(self, name: str) -> Weights:
        """The weights of a sub-cell."""
        return Weights(self.source, self.dtype, f"{self.prefix}{name}.", self.ignore, self.taken)

    def children(self, name: str) -> Iterable[Weights]:
        """The weights of a list of sub-cells, `name.0`, `name.1`, ... without end: zip it with what is built."""
        index = 0
        while True:
            yield self.child(f"{name}.{index}")
            index += 1

    def __contains__(self, name: str) -> bool:
        return f"{self.prefix}{name}" in self.source.keys()

    def take(self, name: str, shape: tuple[int, ...]) -> Parameter:
        """The tensor `prefix + name`, which must have exactly `shape`.

        Raises:
            WeightsError: it is missing, or has another shape; the message names the key and both shapes.
        """
        key = f"{self.prefix}{name}"
        if key not in self.source.keys():
            raise WeightsError(f"{self.source.describe()}: the tensor {key!r} {list(shape)} is missing")
        found = tuple(self.source.shape(key))
        if found != shape:
            raise WeightsError(
                f"{self.source.describe()}: the tensor {key!r} has shape {list(found)}, the model needs {list(shape)}"
            )
        self.taken.add(key)
        values = np.ascontiguousarray(self.source.read(key))
        return Parameter(Tensor.from_numpy(values).astype(self.dtype), requires_grad=False)

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            WeightsError: the source holds tensors that no cell took; the message names up to five.
        """
        extra = sorted(set(self.source.keys()) - self.taken - self.ignore)
        if extra:
            more = f" and {len(extra) - 5} more" if len(extra) > 5 else ""
            raise WeightsError(
                f"{self.source.describe()}: the model does not know the tensors {', '.join(extra[:5])}{more}"
            )
