"""The executor in C++ as Python sees it: ctypes for native/plan.cpp, with its structures field by field."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Iterable, Sequence
from ctypes import Structure, byref, c_char_p, c_double, c_float, c_int, c_int32, c_int64, c_void_p
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kandinsky_backend.ops.plans import steps as plan_steps
from kandinsky_backend.ops.plans.memory import Arena
from kandinsky_backend.ops.plans.regions import Region
from kandinsky_backend.ops.plans.steps import ACTIVATIONS, POINTWISE, Step, WeightPart

_MAX_DIMS = 6
_NONE, _ARENA, _ADDRESS, _ARGUMENT = range(4)


class PlanError(RuntimeError):
    """The executor could not build or run a plan; the text is its own."""


class NeedsWeight(PlanError):
    """A step needs the values of a weight that is packed, but in no layout that suits."""


_ERRORS = {2: MemoryError, 3: NeedsWeight}


class View(Structure):
    _fields_: ClassVar = [
        ("space", c_int32),
        ("dtype", c_int32),
        ("offset", c_int64),
        ("ndim", c_int64),
        ("dims", c_int64 * _MAX_DIMS),
        ("strides", c_int64 * _MAX_DIMS),
    ]


class WeightArgs(Structure):
    _fields_: ClassVar = [
        ("id", c_int64),
        ("data", c_void_p),
        ("ndim", c_int64),
        ("dims", c_int64 * 4),
        ("strides", c_int64 * 4),
        ("bias", c_void_p),
    ]


class DenseArgs(Structure):
    _fields_: ClassVar = [
        ("src", View),
        ("residual", View),
        ("dst", View),
        ("weight", WeightArgs),
        ("stride", c_int64),
        ("padding_begin", c_int64),
        ("padding_end", c_int64),
        ("activation", c_int32),
    ]


class GroupNormArgs(Structure):
    _fields_: ClassVar = [
        ("parts", View * 2),
        ("weight", View),
        ("bias", View),
        ("scale", View),
        ("shift", View),
        ("dst", View),
        ("groups", c_int64),
        ("eps", c_float),
        ("silu", c_int32),
    ]


class AttentionArgs(Structure):
    _fields_: ClassVar = [
        ("query", View),
        ("dst", View),
        ("keys", View * plan_steps.MOST_PARTS),
        ("values", View * plan_steps.MOST_PARTS),
        ("mask", View),
        ("scale", c_float),
    ]


class Library:
    """The loaded executor, and the threads that its plans run on."""

    def __init__(self, path: Path, threads: int) -> None:
        self._c = ctypes.CDLL(str(path))
        for name, result in (
            ("plan_error", c_char_p),
            ("weights_bytes", c_int64),
            ("plan_steps", c_int64),
            ("plan_scratch_bytes", c_int64),
        ):
            getattr(self._c, name).restype = result
        self.threads = threads
        self._device = self.new("device", c_int(threads))

    def onednn_version(self) -> int:
        """major * 10000 + minor * 100 + patch; 0 if it was built for other threads than ours."""
        return int(self._c.plan_onednn_version())

    def new(self, kind: str, *arguments: Any) -> c_void_p:
        """An object that `kind`_new makes: a device, weights or a plan."""
        handle = c_void_p()
        self.call(f"{kind}_new", *arguments, byref(handle))
        return handle

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function that tells its success.

        Raises:
            NeedsWeight: the values of a weight were not given, and are needed.
            MemoryError: there is not enough memory.
            PlanError: it failed otherwise.
        """
        if status := getattr(self._c, function)(*arguments):
            raise _ERRORS.get(status, PlanError)(self._c.plan_error().decode())

    def ask(self, function: str, *arguments: Any) -> Any:
        """The result of a function that cannot fail."""
        return getattr(self._c, function)(*arguments)


class WeightStore:
    """The weights of a model, each packed once for the primitives of all its plans."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.handle = library.new("weights")
        weakref.finalize(self, library.ask, "weights_delete", self.handle)
        self._ids: dict[tuple[int, tuple[int, ...], int], int] = {}
        self._kept: list[Any] = []  # whose id() tells weights apart

    @property
    def nbytes(self) -> int:
        """Number of bytes of the packed weights."""
        return int(self._library.ask("weights_bytes", self.handle))

    def holds(self, part: WeightPart) -> bool:
        """Whether a weight was asked for already."""
        return part.key in self._ids

    def id_of(self, part: WeightPart) -> int:
        """The number of a weight, the same each time."""
        if not self.holds(part):
            self._kept.append(part.weight.parameter)
        return self._ids.setdefault(part.key, len(self._ids))


class NativePlan:
    """A plan in the executor. It runs as often as one likes, in one thread at a time."""

    def __init__(self, library: Library, store: WeightStore, steps: Iterable[Step], arena: Arena) -> None:
        """
        Raises:
            MemoryError, PlanError: see Library.call.
        """
        self._library = library
        self._store = store
        self._arena = arena
        self._constants: list[Any] = []
        self._handle = library.new("plan", library._device, store.handle)
        weakref.finalize(self, library.ask, "plan_delete", self._handle)
        for step in steps:
            _ADD[type(step)](self, step)
        self.scratch_bytes = int(library.ask("plan_scratch_bytes", self._handle))
        self.arena_bytes = arena.nbytes

    def run(self, arena: int, scratch: int, arguments: Sequence[int]) -> None:
        """Run all steps. All that is given are addresses: of memory of so many bytes, and of each argument.

        Raises:
            PlanError: a primitive failed.
        """
        self._run(arena, scratch, arguments, None)

    def run_timed(self, arena: int, scratch: int, arguments: Sequence[int]) -> list[tuple[str, float]]:
        """Run all steps; what each was, and its seconds."""
        count = int(self._library.ask("plan_steps", self._handle))
        seconds = (c_double * count)()
        self._run(arena, scratch, arguments, seconds)
        return [(self._describe(number), seconds[number]) for number in range(count)]

    def _run(self, arena: int, scratch: int, arguments: Sequence[int], seconds: Any) -> None:
        addresses = (c_void_p * len(arguments))(*arguments)
        self._library.call("plan_run", self._handle, c_void_p(arena), c_void_p(scratch), addresses, seconds)

    def _describe(self, number: int) -> str:
        text = ctypes.create_string_buffer(256)
        self._library.ask("plan_describe", self._handle, c_int64(number), text, c_int64(len(text)))
        return text.value.decode()

    # --- one function for each kind of step -----------------------------------------------------------------------

    def _add_linear(self, step: plan_steps.Linear) -> None:
        self._add_dense("plan_add_linear", step, 1, (0, 0))

    def _add_convolution(self, step: plan_steps.Convolution) -> None:
        self._add_dense("plan_add_convolution", step, step.stride, step.padding)

    def _add_winograd(self, step: plan_steps.Winograd) -> None:
        self._add_dense("plan_add_winograd", step, 1, (1, 1), c_int(step.tile))

    def _add_dense(
        self,
        function: str,
        step: plan_steps.Linear | plan_steps.Convolution | plan_steps.Winograd,
        stride: int,
        padding: tuple[int, int],
        *more: Any,
    ) -> None:
        """Add a step with a weight, whose values are read only if they are not packed yet; `more` follows its args."""
        known = self._store.holds(step.weight)
        args = DenseArgs(
            src=self._view(step.src),
            residual=self._view(step.residual),
            dst=self._view(step.dst),
            weight=self._weight(step.weight),
            stride=stride,
            padding_begin=padding[0],
            padding_end=padding[1],
            activation=ACTIVATIONS.index(getattr(step, "activation", None)),
        )
        try:
            if known:
                self._library.call(function, self._handle, byref(args), *more)
                return
        except NeedsWeight:
            pass
        values = step.weight.values()
        args.weight.data = values.ctypes.data
        args.weight.strides[:] = [*(stride // values.itemsize for stride in values.strides), *(0,) * (4 - values.ndim)]
        self._library.call(function, self._handle, byref(args), *more)

    def _add_group_norm(self, step: plan_steps.GroupNorm) -> None:
        scale, shift = step.maps or (None, None)
        args = GroupNormArgs(
            parts=self._views(step.parts, 2),
            weight=self._view(step.weight),
            bias=self._view(step.bias),
            scale=self._view(scale),
            shift=self._view(shift),
            dst=self._view(step.dst),
            groups=step.groups,
            eps=step.eps,
            silu=step.silu,
        )
        self._library.call("plan_add_group_norm", self._handle, byref(args))

    def _add_layer_norm(self, step: plan_steps.LayerNorm) -> None:
        views = [self._view(region) for region in (step.src, step.weight, step.bias, step.dst)]
        self._library.call("plan_add_layer_norm", self._handle, *map(byref, views), c_float(step.eps))

    def _add_attention(self, step: plan_steps.Attention) -> None:
        args = AttentionArgs(
            query=self._view(step.query),
            dst=self._view(step.dst),
            keys=self._views(step.keys, plan_steps.MOST_PARTS),
            values=self._views(step.values, plan_steps.MOST_PARTS),
            mask=self._view(step.mask),
            scale=step.query.shape[3] ** -0.5,
        )
        self._library.call("plan_add_attention", self._handle, byref(args))

    def _add_gather(self, step: plan_steps.Gather) -> None:
        views = [self._view(region) for region in (step.table, step.numbers, step.dst)]
        self._library.call("plan_add_gather", self._handle, *map(byref, views))

    def _add_pointwise(self, step: plan_steps.Pointwise) -> None:
        inputs = (View * len(step.inputs))(*map(self._view, step.inputs))
        dst = self._view(step.dst)
        kind = POINTWISE.index(step.kind)
        self._library.call("plan_add_pointwise", self._handle, c_int(kind), inputs, c_int(len(inputs)), byref(dst))

    def _views(self, regions: tuple[Region, ...], most: int) -> Any:
        return (View * most)(*map(self._view, regions))

    def _weight(self, part: WeightPart) -> WeightArgs:
        """Description of a weight for the executor; its values are read only if they are needed."""
        bias = None if part.bias is None else np.ascontiguousarray(part.bias.values())
        self._constants.append(bias)  # until the call is done, which copies it
        return WeightArgs(
            id=self._store.id_of(part),
            ndim=len(part.shape),
            dims=(c_int64 * 4)(*part.shape),
            bias=None if bias is None else bias.ctypes.data,
        )

    def _view(self, region: Region | None) -> View:
        if region is None:
            return View(space=_NONE)
        space, start = self._start_of(region)
        return View(
            space=space,
            dtype=region.dtype.value,
            offset=start + region.offset * region.dtype.nbytes,
            ndim=len(region.shape),
            dims=(c_int64 * _MAX_DIMS)(*region.shape),
            strides=(c_int64 * _MAX_DIMS)(*region.strides),
        )

    def _start_of(self, region: Region) -> tuple[int, int]:
        """The space that a buffer lies in, and where it starts there in bytes."""
        buffer = region.buffer
        if buffer.argument is not None:
            return _ARGUMENT + buffer.argument, 0
        if buffer.values is not None:
            self._constants.append(buffer.values)
            return _ADDRESS, buffer.address
        return _ARENA, self._arena.offsets[buffer]


_ADD: dict[type[Step], Callable[[NativePlan, Any], None]] = {
    plan_steps.Linear: NativePlan._add_linear,
    plan_steps.Convolution: NativePlan._add_convolution,
    plan_steps.Winograd: NativePlan._add_winograd,
    plan_steps.GroupNorm: NativePlan._add_group_norm,
    plan_steps.LayerNorm: NativePlan._add_layer_norm,
    plan_steps.Attention: NativePlan._add_attention,
    plan_steps.Gather: NativePlan._add_gather,
    plan_steps.Pointwise: NativePlan._add_pointwise,
}
