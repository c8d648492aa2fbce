"""Rules that turn a trace into one of fewer operations: what one pass over memory can do becomes one call.

Each rule looks at one stand-in and, where it fits, replaces the call that made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from kandinsky_backend.ops.plans.trace import Call, Traced

ACTIVATIONS = frozenset({"silu", "quick_gelu", "gelu"})
DENSE = frozenset({"linear", "convolution"})

Uses = Counter[Traced]
Rule = Callable[[Traced, Uses], Call | None]


def fuse(outputs: Sequence[Traced]) -> list[Traced]:
    """Apply all rules, each to the whole trace; the stand-ins that are still needed, in the order of computing them."""
    for rule in RULES:
        values = needed(outputs)
        uses = count_uses(values, outputs)
        for value in values:
            if call := rule(value, uses):
                value.call = call
    return needed(outputs)


def needed(outputs: Sequence[Traced]) -> list[Traced]:
    """The stand-ins that `outputs` depend on, in the order in which they were made."""
    found: set[Traced] = set()
    waiting = list(outputs)
    while waiting:
        value = waiting.pop()
        if value not in found:
            found.add(value)
            waiting += value.call.inputs
    return sorted(found, key=lambda value: value.number)


def count_uses(values: Sequence[Traced], outputs: Sequence[Traced]) -> Uses:
    """Count the calls and outputs that read each stand-in."""
    uses: Uses = Counter(outputs)
    for value in values:
        uses.update(value.call.inputs)
    return uses


def convolve_before_resizing(value: Traced, uses: Uses) -> Call | None:
    """A 1 x 1 convolution of repeated pixels repeats the convolution of each."""
    call = value.call
    if call.operation != "convolution" or call.inputs[0].call.operation != "resize" or not is_1x1(call):
        return None
    small = call.inputs[0].call.inputs[0]
    shape = (*small.shape[:1], value.shape[1], *small.shape[2:])
    return Call("resize", (Traced(shape, replace(call, inputs=(small,)), value.number - 0.5),))


def is_1x1(call: Call) -> bool:
    """Whether a convolution is a matrix product of each pixel."""
    weight = call.weights["weight"]
    return (
        weight is not None
        and weight.shape[2:] == (1, 1)
        and call.options["stride"] == 1
        and not any(call.options["padding"])
    )


def norm_with_maps(value: Traced, uses: Uses) -> Call | None:
    """group_norm(x) * map + map, the maps repeated up to the size of x, is a norm that reads the small maps."""
    if value.call.operation != "add":
        return None
    product, shift = value.call.inputs
    if product.call.operation != "multiply" or uses[product] != 1:
        return None
    norm, scale = product.call.inputs
    if norm.call.operation != "group_norm" or uses[norm] != 1 or len(norm.call.inputs) != 3:
        return None
    small_scale, small_shift = small_map(scale, value), small_map(shift, value)
    if small_scale is None or small_shift is None or small_scale.shape != small_shift.shape:
        return None
    return replace(norm.call, inputs=(*norm.call.inputs, small_scale, small_shift))


def small_map(part: Traced, like: Traced) -> Traced | None:
    """The value that `part`, a map of the shape of `like`, repeats; None if it has another shape."""
    if part.shape != like.shape:
        return None
    return part.call.inputs[0] if part.call.operation == "resize" else part


def norm_with_silu(value: Traced, uses: Uses) -> Call | None:
    """silu(group_norm(x)) in one pass."""
    if value.call.operation != "silu":
        return None
    norm = value.call.inputs[0]
    if norm.call.operation != "group_norm" or uses[norm] != 1:
        return None
    return replace(norm.call, options={**norm.call.options, "silu": True})


def dense_with_activation(value: Traced, uses: Uses) -> Call | None:
    """An activation of a linear layer or a convolution, done while its result is written."""
    if value.call.operation not in ACTIVATIONS:
        return None
    dense = value.call.inputs[0]
    if dense.call.operation not in DENSE or uses[dense] != 1:
        return None
    return replace(dense.call, options={**dense.call.options, "activation": value.call.operation})


def dense_with_residual(value: Traced, uses: Uses) -> Call | None:
    """A sum with a linear layer or a convolution, done while its result is written.

    Changes of order and shape may lie between the two; "changes" keeps them, "shape" the shape before them.
    """
    if value.call.operation != "add":
        return None
    first, second = value.call.inputs
    if first.shape != second.shape:
        return None
    later, earlier = sorted((first, second), key=lambda operand: -operand.number)
    for operand, residual in ((later, earlier), (earlier, later)):
        dense, changes = behind_views(operand, uses)
        call = dense.call
        if (
            call.operation in DENSE
            and uses[dense] == 1
            and not call.options.get("activation")
            and len(call.inputs) == 1
        ):
            options = {**call.options, "changes": changes, "shape": dense.shape}
            return replace(call, inputs=(*call.inputs, residual), options=options)
    return None


def behind_views(value: Traced, uses: Uses) -> tuple[Traced, tuple[Callable[..., object], ...]]:
    """The value behind changes of order and shape that nothing else reads, and these changes in order."""
    changes: tuple[Callable[..., object], ...] = ()
    while value.call.operation == "view" and uses[value] == 1:
        changes = (value.call.options["change"], *changes)
        value = value.call.inputs[0]
    return value, changes


RULES: tuple[Rule, ...] = (
    convolve_before_resizing,
    norm_with_maps,
    norm_with_silu,
    dense_with_activation,
    dense_with_residual,
)
