"""Stand-ins for tensors that record which operation meets which shape and weight, and compute nothing.

`argument(0, (2, 4, 64, 64), Dtype.FLOAT32)` is given to a model instead of a tensor. The functions of this module have
the names and parameters of kandinsky_backend.ops, which hands stand-ins on to them; each returns another stand-in that
remembers the call. What a model returns is thus the whole record: a graph of calls that ends in arguments and
constants.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor

from kandinsky_backend.ops.stored import StoredWeight

Shape = tuple[int, ...]
_numbers = itertools.count()


class TraceError(TypeError):
    """A model does something with a stand-in that plans know nothing of."""


@dataclass(frozen=True)
class Call:
    """An operation that was called.

    `inputs` are the stand-ins it takes, in order; `weights` are parameters that are repacked for it; `options` is
    whatever else it was called with.
    """

    operation: str
    inputs: tuple[Traced, ...] = ()
    weights: Mapping[str, Weight | None] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Weight:
    """Rows of a parameter, or of its reshaped values: what a primitive multiplies by."""

    parameter: Any
    shape: Shape

    def values(self) -> npt.NDArray[np.float32]:
        """The values in float32: read from their file, or the parameter's own memory where it holds just these."""
        if isinstance(self.parameter, StoredWeight):
            return self.parameter.read().reshape(self.shape)
        return _on_host(self.parameter).reshape(self.shape)


class Traced:
    """A stand-in for a tensor of `shape`. `call` made it; `number` grows in the order in which stand-ins are made."""

    dtype = ms.float32  # whatever the plan's precision is

    def __init__(self, shape: Sequence[int], call: Call, number: float | None = None) -> None:
        self.shape: Shape = tuple(int(size) for size in shape)
        self.call = call
        self.number = next(_numbers) if number is None else number

    def __repr__(self) -> str:
        return f"<{self.call.operation} {self.shape}>"

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def reshape(self, *shape: Any) -> Traced:
        wanted = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return _view(self, lambda array: reshaped(array, wanted))

    def transpose(self, *axes: int) -> Traced:
        return _view(self, lambda array: array.transpose(axes))

    def __getitem__(self, key: Any) -> Traced:
        return _view(self, lambda array: array[key])

    def astype(self, dtype: ms.Type) -> Traced:
        """Itself: a plan computes in a precision of its own."""
        return self

    def __add__(self, other: Any) -> Traced:
        return _pointwise("add", self, other)

    def __mul__(self, other: Any) -> Traced:
        return _pointwise("multiply", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __iter__(self) -> Iterator[Any]:
        raise TraceError(f"a model iterates over {self!r}")

    def __bool__(self) -> bool:
        raise TraceError(f"a model decides by the values of {self!r}")


def is_traced(*values: Any) -> bool:
    """Whether any of `values` is a stand-in."""
    return any(isinstance(value, Traced) for value in values)


def argument(index: int, shape: Sequence[int], dtype: Any) -> Traced:
    """A stand-in for the argument number `index` of a plan; its Dtype is FLOAT32 or INT32."""
    return Traced(shape, Call("argument", options={"index": index, "dtype": dtype}))


def constant(values: Any) -> Traced:
    """A stand-in for values that are known now: a number, an array, a tensor or a parameter."""
    if isinstance(values, Traced):
        return values
    if isinstance(values, Tensor):
        values = _on_host(values)
    array = np.asarray(values, np.float32)
    return Traced(array.shape, Call("constant", options={"values": array}))


def _on_host(tensor: Tensor) -> npt.NDArray[np.float32]:
    """A tensor's values, converted by no operator of MindSpore's: another thread may be using those now."""
    return np.asarray(tensor.asnumpy(), np.float32)


def _view(x: Traced, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Traced:
    """The same elements in another order or shape; `change` does it to any array of the shape of x."""
    shape = change(_placeholder(x.shape)).shape
    return Traced(shape, Call("view", (x,), options={"change": change}))


def reshaped(array: npt.NDArray[Any], shape: Sequence[int]) -> npt.NDArray[Any]:
    """The same memory in another shape.

    Raises:
        AttributeError: the elements do not lie so that this is possible without a copy.
    """
    view = array.view()
    view.shape = tuple(shape)
    return view


def _placeholder(shape: Shape) -> npt.NDArray[np.int8]:
    """An array of `shape` that takes no memory."""
    return np.broadcast_to(np.int8(0), shape)


def _pointwise(operation: str, *operands: Any) -> Traced:
    inputs = tuple(constant(operand) for operand in operands)
    return Traced(np.broadcast_shapes(*(x.shape for x in inputs)), Call(operation, inputs))


def _weight(parameter: Parameter | Tensor | StoredWeight, shape: Sequence[int] | None = None) -> Weight:
    if isinstance(parameter, Traced):
        raise TraceError(f"a model multiplies by {parameter!r} as by a weight")
    return Weight(parameter, tuple(parameter.shape if shape is None else shape))


def linear(x: Traced, weight: Parameter, bias: Parameter | None = None) -> Traced:
    weights = {"weight": _weight(weight), "bias": None if bias is None else _weight(bias)}
    return Traced((*x.shape[:-1], weight.shape[0]), Call("linear", (x,), weights))


def conv2d(x: Traced, weight: Parameter, bias: Parameter | None, stride: int = 1, padding: int = 0) -> Traced:
    return _convolution(x, weight, bias, stride, (padding, padding))


def downsample_conv2d(x: Traced, weight: Parameter, bias: Parameter | None) -> Traced:
    return _convolution(x, weight, bias, 2, (0, 1))


def _convolution(x: Traced, weight: Parameter, bias: Parameter | None, stride: int, padding: tuple[int, int]) -> Traced:
    batch, _, height, width = x.shape
    out, _, kernel, _ = weight.shape
    sides = [(side + sum(padding) - kernel) // stride + 1 for side in (height, width)]
    weights = {"weight": _weight(weight), "bias": None if bias is None else _weight(bias)}
    return Traced((batch, out, *sides), Call("convolution", (x,), weights, {"stride": stride, "padding": padding}))


def layer_norm(x: Traced, weight: Parameter, bias: Parameter, eps: float) -> Traced:
    return Traced(x.shape, Call("layer_norm", (x, constant(weight), constant(bias)), options={"eps": eps}))


def group_norm(x: Traced, groups: int, weight: Any, bias: Any, eps: float) -> Traced:
    inputs = (x, constant(weight), constant(bias))
    return Traced(x.shape, Call("group_norm", inputs, options={"groups": groups, "eps": eps, "silu": False}))


group_norm_each = group_norm  # the plan's norm takes a weight (C,) and weights (B, C)


def take_rows(table: Any, rows: Traced) -> Traced:
    width = table.shape[1]
    if isinstance(table, Traced):
        return Traced((*rows.shape, width), Call("take_rows", (rows, table)))
    return Traced((*rows.shape, width), Call("take_rows", (rows,), {"table": _weight(table)}))


def concat(parts: Sequence[Any], axis: int) -> Traced:
    inputs = tuple(constant(part) for part in parts)
    shape = list(inputs[0].shape)
    axis %= len(shape)
    shape[axis] = sum(part.shape[axis] for part in inputs)
    return Traced(shape, Call("concat", inputs, options={"axis": axis}))


def split(x: Traced, count: int, axis: int) -> tuple[Traced, ...]:
    size = x.shape[axis] // count
    before = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*before, slice(i * size, (i + 1) * size))] for i in range(count))


def silu(x: Traced) -> Traced:
    return _pointwise("silu", x)


def quick_gelu(x: Traced) -> Traced:
    return _pointwise("quick_gelu", x)


def gelu(x: Traced) -> Traced:
    return _pointwise("gelu", x)


def attention(query: Traced, key: Traced, value: Traced, mask: Any = None) -> Traced:
    inputs = (query, key, value) if mask is None else (query, key, value, constant(mask))
    return Traced((*query.shape[:3], value.shape[3]), Call("attention", inputs))


def map_to_tokens(x: Traced) -> Traced:
    return x.reshape(*x.shape[:2], -1).transpose(0, 2, 1)


def tokens_to_map(x: Traced, height: int, width: int) -> Traced:
    return x.transpose(0, 2, 1).reshape(x.shape[0], x.shape[2], height, width)


def upsample_nearest(x: Traced) -> Traced:
    return resize_nearest(x, 2 * x.shape[2], 2 * x.shape[3])


def resize_nearest(x: Traced, height: int, width: int) -> Traced:
    return Traced((*x.shape[:2], height, width), Call("resize", (x,)))


def downsample_mean(x: Traced) -> Traced:
    batch, channels, height, width = x.shape
    return Traced((batch, channels, height // 2, width // 2), Call("mean_of_four", (x,)))
