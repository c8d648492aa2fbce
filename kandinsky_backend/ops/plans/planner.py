"""From a trace to the steps of a plan: which primitive computes what, and in which layout it lies.

Maps lie channels last. Changes of order and shape cost nothing where they can be had by other strides, and a
concatenation costs nothing where its reader takes parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import mindspore as ms
import numpy as np

from kandinsky_backend.ops.plans.fusion import fuse, is_1x1
from kandinsky_backend.ops.plans.regions import (
    Buffer,
    Change,
    Dtype,
    Region,
    axes_by_stride,
    channels_last,
    in_order,
    is_channels_last,
    merged,
    row_major,
    strided,
)
from kandinsky_backend.ops.plans.steps import (
    MOST_PARTS,
    Attention,
    Convolution,
    Gather,
    GroupNorm,
    LayerNorm,
    Linear,
    Pointwise,
    Step,
    WeightPart,
    Winograd,
)
from kandinsky_backend.ops.plans.trace import Call, Shape, Traced, TraceError, Weight, reshaped
from kandinsky_backend.ops.plans.winograd import TransformedWeight, tile_for


@dataclass(frozen=True)
class _Parts:
    """A concatenation that was not made yet."""

    regions: tuple[Region, ...]
    axis: int
    shape: Shape


def plan_steps(outputs: Sequence[Traced], arguments: int, dtype: Dtype) -> list[Step]:
    """The steps that compute `outputs` into the arguments number `arguments` and on, row by row in float32.

    Maps and sequences between the steps are of `dtype`.
    """
    planner = _Planner(dtype)
    for value in fuse(outputs):
        planner.lower(value)
    for number, value in enumerate(outputs, arguments):
        planner.write_output(value, number)
    return planner.steps


class _Planner:
    """Lowers one stand-in after the other, and knows where those before it lie."""

    def __init__(self, dtype: Dtype) -> None:
        self.dtype = dtype
        self.steps: list[Step] = []
        self._places: dict[Traced, Region | _Parts] = {}
        self._converted: dict[tuple[Traced, Dtype], Region] = {}

    def lower(self, value: Traced) -> None:
        """Write down the steps that compute a stand-in whose inputs are lowered already."""
        lower: Callable[[Traced, Call], Region | _Parts] | None = getattr(self, f"_{value.call.operation}", None)
        if lower is None:
            raise TraceError(f"plans know no operation {value.call.operation!r}")
        self._places[value] = lower(value, value.call)

    def write_output(self, value: Traced, number: int) -> None:
        """Copy a stand-in's values into an argument of the plan."""
        target = row_major(Buffer(prod(value.shape), Dtype.FLOAT32, argument=number), value.shape)
        self._pointwise("copy", target, self._read(value))

    # --- reading what was lowered --------------------------------------------------------------------------------

    def _read(self, value: Traced, dtype: Dtype | None = None) -> Region:
        """Region of the values in one piece and of `dtype`; None is the plan's own."""
        place = self._places[value]
        if isinstance(place, _Parts):
            place = self._places[value] = self._join(place)
        return self._as_dtype(value, place, dtype or self.dtype)

    def _as_dtype(self, value: Traced, place: Region, dtype: Dtype) -> Region:
        if place.dtype == dtype:
            return place
        key = (value, dtype)
        if key not in self._converted:
            self._converted[key] = self._copy(place, axes_by_stride(place), dtype)
        return self._converted[key]

    def _read_parts(self, value: Traced, axis: int, most: int) -> tuple[Region, ...]:
        """The same in up to `most` parts, one after the other along `axis`."""
        place = self._places[value]
        if isinstance(place, _Parts) and place.axis == axis and len(place.regions) <= most:
            return place.regions
        return (self._read(value),)

    def _join(self, parts: _Parts) -> Region:
        order = axes_by_stride(parts.regions[0])
        joined = in_order(self._buffer(parts.shape), parts.shape, order)
        start = 0
        for part in parts.regions:
            end = start + part.shape[parts.axis]
            place = (*(slice(None),) * parts.axis, slice(start, end))
            self._pointwise("copy", Region(joined.buffer, joined.array[place]), part)
            start = end
        return joined

    # --- writing ------------------------------------------------------------------------------------------------

    def _buffer(self, shape: Shape, dtype: Dtype | None = None) -> Buffer:
        return Buffer(prod(shape), dtype or self.dtype)

    def _pointwise(self, kind: str, dst: Region, *inputs: Region) -> None:
        target, *sources = merged([dst, *(region.broadcast_to(dst.shape) for region in inputs)])
        self.steps.append(Pointwise(target, kind, tuple(sources)))

    def _copy(self, region: Region, order: Sequence[int], dtype: Dtype | None = None) -> Region:
        """The values in a buffer of their own, `order` naming the axes from the outermost in memory on."""
        copied = in_order(self._buffer(region.shape, dtype), region.shape, order)
        self._pointwise("copy", copied, region)
        return copied

    def _as_map(self, region: Region) -> Region:
        return region if is_channels_last(region) else self._copy(region, (0, 2, 3, 1))

    def _as_rows(self, region: Region) -> Region:
        rows = region.rows()
        if rows is None:
            rows = self._copy(region, range(len(region.shape))).rows()
        if rows is None:
            raise TraceError(f"a copy of {region.shape} has no rows")
        return rows

    def _with_unit_width(self, region: Region) -> Region:
        return region if region.strides[-1] == 1 else self._copy(region, range(len(region.shape)))

    # --- one function for each operation of a trace -----------------------------------------------------------------

    def _argument(self, value: Traced, call: Call) -> Region:
        buffer = Buffer(prod(value.shape), call.options["dtype"], argument=call.options["index"])
        return row_major(buffer, value.shape)

    def _constant(self, value: Traced, call: Call) -> Region:
        values = np.ascontiguousarray(call.options["values"])
        return row_major(Buffer(values.size, Dtype.FLOAT32, values=values), value.shape)

    def _view(self, value: Traced, call: Call) -> Region:
        return self._change(self._read(call.inputs[0], self._dtype_of(call.inputs[0])), call.options["change"])

    def _dtype_of(self, value: Traced) -> Dtype:
        place = self._places[value]
        return place.dtype if isinstance(place, Region) else self.dtype

    def _change(self, region: Region, change: Change) -> Region:
        """The region after a change of shape or order, copied where it must be."""
        changed = region.changed(change)
        if changed is None:
            changed = self._copy(region, range(len(region.shape)), region.dtype).changed(change)
        if changed is None:
            raise TraceError(f"a copy of {region.shape} cannot change its shape")
        return changed

    def _resize(self, value: Traced, call: Call) -> Region:
        """Repeated pixels, copied into the larger map."""
        small = self._read(call.inputs[0])
        batch, channels, height, width = small.shape
        large = channels_last(self._buffer(value.shape), value.shape)
        down, across = value.shape[2] // height, value.shape[3] // width
        split = (batch, channels, height, down, width, across)
        target = large.changed(lambda array: reshaped(array, split))
        source = small.changed(lambda array: reshaped(array, (batch, channels, height, 1, width, 1)))
        if target is None or source is None:
            raise TraceError(f"{small.shape} cannot be resized to {value.shape}")
        self._pointwise("copy", target, source)
        return large

    def _concat(self, value: Traced, call: Call) -> _Parts:
        return _Parts(tuple(self._read(part) for part in call.inputs), call.options["axis"], value.shape)

    def _add(self, value: Traced, call: Call) -> Region:
        return self._elementwise(value, call)

    _multiply = _silu = _quick_gelu = _gelu = _add

    def _elementwise(self, value: Traced, call: Call) -> Region:
        inputs = [self._read(part) for part in call.inputs]
        like = next((region for region in inputs if region.shape == value.shape), None)
        order = range(len(value.shape)) if like is None else axes_by_stride(like)
        dst = in_order(self._buffer(value.shape), value.shape, order)
        self._pointwise(call.operation, dst, *inputs)
        return dst

    def _mean_of_four(self, value: Traced, call: Call) -> Region:
        x = self._read(call.inputs[0])
        dst = channels_last(self._buffer(value.shape), value.shape)
        corners = [Region(x.buffer, x.array[:, :, row::2, column::2]) for row in (0, 1) for column in (0, 1)]
        self._pointwise("mean_of_four", dst, *corners)
        return dst

    def _group_norm(self, value: Traced, call: Call) -> Region:
        x, weight, bias, *maps = call.inputs
        parts = tuple(
            part if part.strides[1] == 1 else self._as_map(part) for part in self._read_parts(x, axis=1, most=2)
        )
        dst = channels_last(self._buffer(value.shape), value.shape)
        self.steps.append(
            GroupNorm(
                dst,
                parts,
                self._read(weight, Dtype.FLOAT32),
                self._read(bias, Dtype.FLOAT32),
                tuple(self._as_map(self._read(part)) for part in maps),
                call.options["groups"],
                call.options["eps"],
                call.options["silu"],
            )
        )
        return dst

    def _layer_norm(self, value: Traced, call: Call) -> Region:
        x, weight, bias = call.inputs
        rows = self._as_rows(self._read(x))
        dst = row_major(self._buffer(value.shape), value.shape)
        scale, shift = (self._read(part, Dtype.FLOAT32) for part in (weight, bias))
        self.steps.append(LayerNorm(self._as_rows(dst), rows, scale, shift, call.options["eps"]))
        return dst

    def _take_rows(self, value: Traced, call: Call) -> Region:
        table = self._table(call.weights["table"]) if call.weights else self._as_rows(self._read(call.inputs[1]))
        if table.strides != (table.shape[1], 1):
            table = self._copy(table, (0, 1))
        numbers = self._read(call.inputs[0], Dtype.INT32)
        dst = row_major(self._buffer(value.shape), value.shape)
        self.steps.append(Gather(self._as_rows(dst), table, numbers))
        return dst

    def _table(self, weight: Weight | None) -> Region:
        """A parameter where it lies, in its own precision."""
        assert weight is not None
        dtype = Dtype.BFLOAT16 if weight.parameter.dtype == ms.bfloat16 else Dtype.FLOAT32
        return row_major(Buffer(prod(weight.shape), dtype, values=weight.parameter), weight.shape)

    def _attention(self, value: Traced, call: Call) -> Region:
        query, key, values = call.inputs[:3]
        keys_values = [
            tuple(map(self._with_unit_width, self._read_parts(part, axis=2, most=MOST_PARTS))) for part in (key, values)
        ]
        if [part.shape[2] for part in keys_values[0]] != [part.shape[2] for part in keys_values[1]]:
            keys_values = [(self._with_unit_width(self._read(part)),) for part in (key, values)]
        mask = None
        if len(call.inputs) == 4:
            scores = (*value.shape[:3], key.shape[2])
            mask = self._read(call.inputs[3], Dtype.FLOAT32).broadcast_to(scores)
        dst = in_order(self._buffer(value.shape), value.shape, (0, 2, 1, 3))
        query_region = self._with_unit_width(self._read(query))
        self.steps.append(Attention(dst, query_region, keys_values[0], keys_values[1], mask))
        return dst

    def _linear(self, value: Traced, call: Call) -> Region:
        shape: Shape = call.options.get("shape", value.shape)
        dst = row_major(self._buffer(shape), shape)
        return self._dense(call, dst, (self._read(call.inputs[0]),))

    def _convolution(self, value: Traced, call: Call) -> Region:
        shape: Shape = call.options.get("shape", value.shape)
        dst = channels_last(self._buffer(shape), shape)
        most = 2 if is_1x1(call) else 1
        return self._dense(call, dst, self._read_parts(call.inputs[0], axis=1, most=most))

    # --- linear layers and convolutions, with what is fused to them ---------------------------------------------

    def _dense(self, call: Call, dst: Region, parts: tuple[Region, ...]) -> Region:
        """The product into `dst`, and a residual added to it; where the values of the stand-in lie then."""
        seen: Region | None = dst
        changes: tuple[Change, ...] = call.options.get("changes", ())
        for change in changes:
            seen = None if seen is None else seen.changed(change)
        residual = self._read(call.inputs[1]) if len(call.inputs) == 2 else None
        if seen is not None and residual is not None and residual.has_layout_of(seen):
            self._products(call, dst, parts, residual.with_layout_of(dst))
            return seen
        self._products(call, dst, parts, None)
        product = dst
        for change in changes:
            product = self._change(product, change)
        return product if residual is None else self._sum(product, residual)

    def _sum(self, first: Region, second: Region) -> Region:
        """The sum of two regions of one shape."""
        total = in_order(self._buffer(first.shape), first.shape, axes_by_stride(first))
        self._pointwise("add", total, first, second)
        return total

    def _products(self, call: Call, dst: Region, parts: tuple[Region, ...], residual: Region | None) -> None:
        """The product of each part with its columns of the weight, each added to what is there before it."""
        weight, bias = call.weights["weight"], call.weights["bias"]
        assert weight is not None
        as_rows = call.operation == "linear" or is_1x1(call)
        activation = call.options.get("activation")
        start = 0
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            width = part.shape[-1 if call.operation == "linear" else 1]
            columns = WeightPart(_flat(weight) if as_rows else weight, bias if is_last else None, start, start + width)
            start += width
            # The first parts' sum is the residual of the next.
            target = dst if is_last else strided(self._buffer(dst.shape), dst.shape, dst.strides)
            last_activation = activation if is_last else None
            if as_rows:
                rows = [self._matrix(call, region) for region in (target, part)]
                added = None if residual is None else self._matrix(call, residual)
                self.steps.append(Linear(rows[0], rows[1], columns, added, last_activation))
            else:
                self._convolve(call, target, self._as_map(part), columns, residual)
            residual = target

    def _convolve(self, call: Call, dst: Region, src: Region, weight: WeightPart, residual: Region | None) -> None:
        stride, padding = call.options["stride"], call.options["padding"]
        activation = call.options.get("activation")
        tile = tile_for(self.dtype, src.shape, weight.shape, stride, padding)
        if tile and not activation:
            kernels = TransformedWeight(weight.weight, weight.bias, weight.start, weight.stop, tile)
            self.steps.append(Winograd(dst, src, kernels, tile, residual))
        else:
            self.steps.append(Convolution(dst, src, weight, stride, padding, residual, activation))

    def _matrix(self, call: Call, region: Region) -> Region:
        """A sequence's tokens, or a map's pixels, as rows."""
        if call.operation == "linear":
            return self._as_rows(region)
        pixels = self._as_map(region).changed(lambda array: array.transpose(0, 2, 3, 1))
        if pixels is None:
            raise TraceError(f"a map of {region.shape} has no pixels")
        return self._as_rows(pixels)


def _flat(weight: Weight) -> Weight:
    """A weight of 1 x 1 kernels as a matrix."""
    return weight if len(weight.shape) == 2 else Weight(weight.parameter, weight.shape[:2])
