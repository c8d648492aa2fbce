"""Weights that stay in their file until somebody computes with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor


@dataclass(eq=False)
class StoredWeight:
    """A weight of a linear layer or a convolution: known by shape and precision, read when it is needed.

    A plan reads it once and repacks it, so that no second copy stays in memory. MindSpore's operators keep a tensor.
    """

    shape: tuple[int, ...]
    dtype: ms.Type
    load: Callable[[], npt.NDArray[Any]]

    def read(self) -> npt.NDArray[np.float32]:
        """The values in float32, read anew each time; a plan rounds them to its precision as it packs them."""
        return np.ascontiguousarray(self.load(), np.float32)

    @cached_property
    def tensor(self) -> Tensor:
        """The values as MindSpore's operators take them, kept from now on."""
        return Tensor.from_numpy(self.read()).astype(self.dtype)


def as_tensor(weight: Tensor | StoredWeight) -> Tensor:
    """Read the values, for MindSpore's operators."""
    return weight.tensor if isinstance(weight, StoredWeight) else weight
