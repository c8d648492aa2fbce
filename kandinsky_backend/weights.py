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

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import mindspore as ms
import ml_dtypes
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor

from kandinsky_backend.errors import WeightsError
from kandinsky_backend.ops.plans.planned import plans_compute
from kandinsky_backend.ops.stored import StoredWeight

_NUMPY_DTYPES = {ms.float32: np.float32, ms.float16: np.float16, ms.bfloat16: ml_dtypes.bfloat16}


class TensorSource(Protocol):
    """A source of tensors: a safetensors file, or several shards."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name and shape of every tensor that is there, known without reading one."""

    def read(self, key: str) -> npt.NDArray[Any]:
        """A tensor's values: float16, float32, or bfloat16 already widened to float32."""

    def describe(self) -> str:
        """The source's name for error messages: a file's or folder's path."""


@dataclass
class Weights:
    """A view of a source below `prefix`; every tensor taken becomes a Parameter of `dtype`.

    `ignore` names keys that published checkpoints hold and no model uses (position-id buffers, unused poolers).
    """

    source: TensorSource
    dtype: ms.Type
    prefix: str = ""
    ignore: frozenset[str] = frozenset()
    taken: set[str] = field(default_factory=set)

    def child(self, name: str) -> Weights:
        """The weights of a sub-cell: of `name`, or of `name.0` in a list of cells."""
        return replace(self, prefix=f"{self.prefix}{name}.")

    def take(self, name: str, shape: tuple[int, ...]) -> Parameter:
        """The tensor `prefix + name`, which must have exactly `shape`.

        Raises:
            WeightsError: it is missing, or has another shape; the message names the key and both shapes.
        """
        return Parameter(tensor_of(self.source.read(self._check(name, shape)), self.dtype), requires_grad=False)

    def _check(self, name: str, shape: tuple[int, ...]) -> str:
        """The key of a tensor that is there and has the shape; it counts as taken."""
        key = f"{self.prefix}{name}"
        found = self.source.shapes.get(key)
        if found is None:
            raise WeightsError(
                "{path}: the tensor {key!r} {shape} is missing",
                "missing",
                path=self.source.describe(),
                key=key,
                shape=list(shape),
            )
        if tuple(found) != shape:
            raise WeightsError(
                "{path}: the tensor {key!r} has shape {found}, the model needs {shape}",
                "misshapen",
                path=self.source.describe(),
                key=key,
                found=list(found),
                shape=list(shape),
            )
        self.taken.add(key)
        return key

    def take_to_multiply(self, name: str, shape: tuple[int, ...]) -> Parameter | StoredWeight:
        """The same for a weight of a linear layer or a convolution: where plans compute, it stays in its file for now.

        Raises:
            WeightsError: see `take`.
        """
        if not plans_compute(self.dtype):
            return self.take(name, shape)
        key = self._check(name, shape)
        return StoredWeight(shape, self.dtype, lambda: self.source.read(key))

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            WeightsError: the source holds tensors that no cell took; the message names up to five.
        """
        extra = sorted(set(self.source.shapes) - self.taken - self.ignore)
        if extra:
            more = f" and {len(extra) - 5} more" if len(extra) > 5 else ""
            raise WeightsError(
                "{path}: the model does not know the tensors {names}{more}",
                "extra",
                path=self.source.describe(),
                names=", ".join(extra[:5]),
                more=more,
            )


def tensor_of(values: npt.NDArray[Any], dtype: ms.Type) -> Tensor:
    """`values` as a tensor that shares numpy's memory: it goes back to the system when the model is dropped.

    What MindSpore's own cast allocates would stay in its pool.
    """
    return Tensor.from_numpy(np.ascontiguousarray(values, _NUMPY_DTYPES[dtype]))
