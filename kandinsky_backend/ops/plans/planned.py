"""Methods of models that run as plans: `@planned` in front of one is all that a model says about it."""

from __future__ import annotations

import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import mindspore as ms
import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from kandinsky_backend.ops.plans import memory, precision, trace
from kandinsky_backend.ops.plans.native import Library, NativePlan, WeightStore
from kandinsky_backend.ops.plans.planner import plan_steps
from kandinsky_backend.ops.plans.regions import Dtype
from kandinsky_backend.ops.plans.rehearsal import is_rehearsal, weighed, while_wanted
from kandinsky_backend.ops.plans.runtime import WORKSPACE, executor
from kandinsky_backend.ops.plans.steps import Step
from kandinsky_backend.ops.plans.trace import Shape, Traced

Method = TypeVar("Method", bound=Callable[..., Any])


def planned(method: Method) -> Method:
    """Let a model's method run as a plan, where this process has an executor for plans.

    The method takes tensors, and lists, tuples and named tuples of them; it computes with functions of
    kandinsky_backend.ops, sums, products and changes of shape, and by nothing else; its results are tensors or such
    structures. The first call with tensors of given shapes runs it once with stand-ins and plans what they record.
    """

    @functools.wraps(method)
    def run(model: nn.Cell, *arguments: Any) -> Any:
        library = executor()
        if library is None or trace.is_traced(*leaves(arguments)):
            return method(model, *arguments)
        if (weights := weighed()) is not None:
            dtype = _DTYPES[_dtype_of(model)]
            steps, form = traced(functools.partial(method, model), arguments, dtype)
            weights.add(steps, dtype)
            return form.blank()
        with _MAKING:
            if model not in _PLANS:
                _PLANS[model] = _plans_for(library, model)
            plans = _PLANS[model]
        if plans is None:
            return method(model, *arguments)
        return plans.run(functools.partial(method, model), method.__name__, arguments)

    return run  # type: ignore[return-value]


# Packed weights of which a second layout, which another picture size may want, costs more memory than it saves time.
LARGE = 2**29


class ModelPlans:
    """The plans of one model, by method and shapes, and the weights that they share."""

    def __init__(self, library: Library, dtype: Dtype) -> None:
        """`dtype` is the precision of the weights, and of what lies between the steps."""
        self.store = WeightStore(library)
        self._library = library
        self._dtype = dtype
        self._planning = threading.Lock()  # so that two threads do not pack the same weights
        self.plans: dict[tuple[Any, ...], Plan] = {}
        self.packed_bytes = 0  # of the weights, when the newest plan was made

    def run(self, method: Callable[..., Any], name: str, arguments: Sequence[Any]) -> Any:
        """The results of `method`, called `name`, for such arguments; zeros in a rehearsal.

        A plan that there is no memory to run is let go, with the weights in layouts that it alone has.
        """
        plan = self.plan(method, name, arguments)
        if is_rehearsal():
            return plan.form.blank()
        try:
            return plan.run(list(leaves(arguments)))
        except MemoryError:
            with self._planning:
                self.plans = {other: kept for other, kept in self.plans.items() if kept is not plan}
            raise

    def plan(self, method: Callable[..., Any], name: str, arguments: Sequence[Any]) -> Plan:
        """The plan for arguments of these shapes, made now if there is none; a large model keeps one a method."""
        key = (name, _structure(arguments))
        with self._planning:
            if key not in self.plans:
                if self.store.nbytes > LARGE:
                    self.plans = {other: plan for other, plan in self.plans.items() if other[0] != name}
                self.plans[key] = Plan(self._library, self.store, self._dtype, method, arguments)
                self.packed_bytes = self.store.nbytes
            return self.plans[key]


class Form:
    """The shapes of a method's results, and how they are nested."""

    def __init__(self, result: Any, shapes: Sequence[Shape]) -> None:
        self.shapes = shapes
        self._result = _replaced(result, lambda value: None)

    def of(self, arrays: Iterable[npt.NDArray[Any]]) -> Any:
        """The arrays as the method returns them."""
        results = map(Tensor.from_numpy, arrays)
        return _replaced(self._result, lambda _: next(results))

    def blank(self) -> Any:
        """Zeros in place of the method's results."""
        return self.of(np.zeros(shape, np.float32) for shape in self.shapes)


def traced(method: Callable[..., Any], arguments: Sequence[Any], dtype: Dtype) -> tuple[list[Step], Form]:
    """The steps of a method for arguments of such shapes, and the form of its results; no weight is read.

    Raises:
        TraceError: the method does something that plans know nothing of.
    """
    numbers = itertools.count()
    result = method(*_replaced(arguments, lambda tensor: _stand_in(next(numbers), tensor)))
    outputs = [trace.constant(value) for value in leaves(result)]
    return plan_steps(outputs, next(numbers), dtype), Form(result, [output.shape for output in outputs])


class Plan:
    """A method of a model for arguments of given shapes."""

    def __init__(
        self,
        library: Library,
        store: WeightStore,
        dtype: Dtype,
        method: Callable[..., Any],
        arguments: Sequence[Any],
    ) -> None:
        """Trace, plan and compile.

        Raises:
            TraceError: the method does something that plans know nothing of.
            MemoryError, PlanError: of the executor.
        """
        steps, self.form = traced(method, arguments, dtype)
        self.native = NativePlan(library, store, while_wanted(steps), memory.lay_out(steps))

    def run(self, tensors: Sequence[Tensor]) -> Any:
        """The method's results, float32, for the tensors in its arguments."""
        return self.form.of(self._run(self.native.run, tensors))

    def time(self, tensors: Sequence[Tensor]) -> list[tuple[str, float]]:
        """Description of each step, and the seconds that it takes for these tensors."""
        rows: list[tuple[str, float]] = []
        self._run(lambda *where: rows.extend(self.native.run_timed(*where)), tensors)
        return rows

    def _run(self, run: Callable[[int, int, list[int]], None], tensors: Sequence[Tensor]) -> list[npt.NDArray[Any]]:
        inputs = [_contiguous(tensor) for tensor in tensors]
        outputs = [np.empty(shape, np.float32) for shape in self.form.shapes]
        addresses = [tensor.data_ptr() for tensor in inputs] + [output.ctypes.data for output in outputs]
        with WORKSPACE.lock:
            arena = WORKSPACE.reserve(self.native.arena_bytes + self.native.scratch_bytes)
            run(arena, arena + self.native.arena_bytes, addresses)
        return outputs


_DTYPES = {ms.float32: Dtype.FLOAT32, ms.bfloat16: Dtype.BFLOAT16}  # in which plans can compute
_MAKING = threading.Lock()  # of what follows
_PLANS: weakref.WeakKeyDictionary[nn.Cell, ModelPlans | None] = weakref.WeakKeyDictionary()


def _plans_for(library: Library, model: nn.Cell) -> ModelPlans | None:
    """Plans in the precision of the model's weights; None where plans do not compute in it."""
    dtype = _dtype_of(model)
    return ModelPlans(library, _DTYPES[dtype]) if dtype in _DTYPES else None


def _dtype_of(model: nn.Cell) -> ms.Type:
    return next(model.get_parameters()).dtype


def plans_compute(dtype: ms.Type) -> bool:
    """Whether models with weights of `dtype` run as plans in this process."""
    return executor() is not None and not why_not(dtype)


def why_not(dtype: ms.Type) -> str:
    """Why plans do not compute in `dtype` on this machine; empty where they do."""
    return precision.unusable(_DTYPES[dtype]) if dtype in _DTYPES else "compiled plans know float32 and bfloat16"


def plans_of(model: nn.Cell) -> ModelPlans | None:
    """The plans that a model has by now."""
    return _PLANS.get(model)


def packed_bytes(model: nn.Cell) -> int:
    """Bytes of the weights that a model's plans have packed by now."""
    plans = plans_of(model)
    return plans.packed_bytes if plans else 0


def _stand_in(number: int, tensor: Tensor) -> Traced:
    return trace.argument(number, tensor.shape, Dtype.INT32 if tensor.dtype == ms.int32 else Dtype.FLOAT32)


def _contiguous(tensor: Tensor) -> Tensor:
    """The same values row by row, in int32 if they are that, or in float32."""
    tensor = tensor if tensor.dtype in (ms.float32, ms.int32) else tensor.astype(ms.float32)
    return tensor if tensor.is_contiguous() else tensor.contiguous()


def leaves(structure: Any) -> Iterator[Any]:
    """All in a structure of lists and tuples that is neither, in order."""
    if isinstance(structure, list | tuple):
        for part in structure:
            yield from leaves(part)
    else:
        yield structure


def _structure(structure: Any) -> Any:
    """Key of arguments that need the same plan: how they are nested, and all shapes."""
    if isinstance(structure, list | tuple):
        return tuple(map(_structure, structure))
    return (str(structure.dtype), *structure.shape)


def _replaced(structure: Any, replace: Callable[[Any], Any]) -> Any:
    """The same structure with each leaf replaced, in order."""
    if isinstance(structure, list):
        return [_replaced(part, replace) for part in structure]
    if isinstance(structure, tuple):
        parts = [_replaced(part, replace) for part in structure]
        return type(structure)(*parts) if hasattr(structure, "_fields") else tuple(parts)
    return replace(structure)
