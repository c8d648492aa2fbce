"""Compare small plans in a precision with the same in float32: `python -m kandinsky_backend.ops.plans.selftest NAME`.

Prints what is wrong and ends with exit code 1, or prints nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from mindspore import Parameter, Tensor

from kandinsky_backend.ops.plans import build, runtime, trace
from kandinsky_backend.ops.plans.native import Library, WeightStore
from kandinsky_backend.ops.plans.planned import Plan
from kandinsky_backend.ops.plans.regions import Dtype
from kandinsky_backend.ops.plans.trace import Traced

# Of the root mean square. Rounding to bfloat16 makes an error of 0.002 each time, and these plans round a few times.
MOST = 0.02

Function = Callable[..., Any]


class _Values:
    """Random values, the same ones each time."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(0)

    def array(self, *shape: int) -> npt.NDArray[np.float32]:
        return self._rng.standard_normal(shape, dtype=np.float32)

    def tensor(self, *shape: int) -> Tensor:
        return Tensor.from_numpy(self.array(*shape))

    def parameter(self, *shape: int) -> Parameter:
        """Weights that keep the size of what they multiply."""
        return Parameter(Tensor.from_numpy(self.array(*shape) / np.float32(np.sqrt(np.prod(shape[1:])))))


def cases() -> Iterator[tuple[str, Function, Sequence[Tensor]]]:
    """Name, function and arguments of each plan: all kinds of steps, at sizes that no vector divides and at larger."""
    draw = _Values()
    for channels, side in ((24, 5), (64, 16)):
        weight, bias = draw.parameter(channels, channels), draw.parameter(channels)
        kernel, point = draw.parameter(channels, channels, 3, 3), draw.parameter(channels, 2 * channels, 1, 1)
        tokens, picture = draw.tensor(2, side, channels), draw.tensor(2, channels, side, side + 2)
        heads, mask = draw.tensor(2, 3, side, 8), draw.tensor(side, side)

        def linear(x: Traced, weight: Parameter = weight, bias: Parameter = bias) -> Traced:
            return x + trace.gelu(trace.linear(trace.layer_norm(x, bias, bias, 1e-5), weight, bias))

        def convolution(x: Traced, kernel: Parameter = kernel, bias: Parameter = bias) -> Traced:
            return trace.conv2d(trace.silu(trace.group_norm(x, 8, bias, bias, 1e-5)), kernel, bias, 1, 1) + x

        def joined(x: Traced, point: Parameter = point, bias: Parameter = bias) -> Traced:
            return trace.conv2d(trace.concat([x, trace.silu(x)], 1), point, bias)

        yield f"a linear layer of {channels}", linear, [tokens]
        yield f"a convolution of {channels} channels", convolution, [picture]
        yield f"a 1 x 1 convolution of two maps of {channels} channels", joined, [picture]
        yield f"attention of {side} tokens", lambda x, mask: trace.attention(x, x, x, mask), [heads, mask]


def error(library: Library, dtype: Dtype, function: Function, arguments: Sequence[Tensor]) -> float:
    """Root mean square of the difference between a function's plans in `dtype` and in float32, as a share of that."""
    ours, exact = (
        Plan(library, WeightStore(library), each, function, arguments).run(arguments).asnumpy()
        for each in (dtype, Dtype.FLOAT32)
    )
    return float(np.linalg.norm(ours - exact) / np.linalg.norm(exact))


def main(name: str) -> int:
    """Test and return the exit code."""
    library = Library(build.library(), runtime.cores())
    for what, function, arguments in cases():
        found = error(library, Dtype[name.upper()], function, arguments)
        if not found <= MOST:  # not-a-number is no better
            print(f"an error of {found:.3g} in {what}")
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
