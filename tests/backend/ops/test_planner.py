"""What a plan consists of: one step for what one pass over memory can do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kandinsky_backend import ops
from kandinsky_backend.models.unet import AddedKVAttention, KeysAndValues, ResnetBlock2D, UNetConfig
from kandinsky_backend.ops.plans import trace
from kandinsky_backend.ops.plans.planner import plan_steps
from kandinsky_backend.ops.plans.regions import Dtype
from kandinsky_backend.ops.plans.steps import Linear, Pointwise, Step
from tests.backend.ops.harness import parameter
from tests.golden import configs_unet_movq as configs
from tests.weights_from_names import RandomWeights

CONFIG = UNetConfig.from_dict(configs.UNET_TWO_LEVELS)


def steps_of(function: Callable[..., Any], *shapes: tuple[int, ...]) -> list[Step]:
    """The steps of a plan but for the copy of its result."""
    arguments = [trace.argument(i, shape, Dtype.FLOAT32) for i, shape in enumerate(shapes)]
    *steps, last = plan_steps([function(*arguments)], len(arguments), Dtype.FLOAT32)
    assert isinstance(last, Pointwise)
    assert last.kind == "copy"
    return steps


def kinds(steps: list[Step]) -> list[str]:
    return [step.kind if isinstance(step, Pointwise) else type(step).__name__ for step in steps]


def test_a_residual_block_of_a_concatenation_copies_nothing() -> None:
    block = ResnetBlock2D(CONFIG, RandomWeights(), 96, 32)
    shapes = [(2, 32, 8, 8), (2, 64, 8, 8), (2, CONFIG.embedding_width)]

    def run(x: Any, skip: Any, temb: Any) -> Any:
        hidden = ops.downsample_mean(x), ops.downsample_mean(skip)  # maps as other steps leave them
        return block(ops.concat(hidden, axis=1), temb)

    assert kinds(steps_of(run, *shapes)) == [
        "mean_of_four",
        "mean_of_four",
        "GroupNorm",  # and SiLU, of both parts
        "Convolution",
        "Linear",  # of the embedding of time, for the weight and bias of the next norm
        *["add", "multiply", "multiply", "add"],  # of one value a channel each
        "GroupNorm",
        "Convolution",
        "Linear",  # the shortcut of one part, added to that
        "Linear",  # and of the other
    ]


def test_attention_of_pixels_copies_nothing_and_adds_its_residual() -> None:
    block = AddedKVAttention(CONFIG, RandomWeights(), 32)
    tokens = (2, 4, 7, 8)

    def run(x: Any, keys: Any, values: Any) -> Any:
        return block(
            ops.conv2d(x, parameter(np.ones((32, 32, 3, 3))), None, padding=1), [KeysAndValues(keys, values)] * 2
        )

    steps = steps_of(run, (2, 32, 4, 4), tokens, tokens)
    assert kinds(steps) == ["copy", "Convolution", "GroupNorm", "Linear", "Linear", "Linear", "Attention", "Linear"]
    last = steps[-1]
    assert isinstance(last, Linear)
    assert last.residual is not None


def test_an_activation_is_done_by_the_layer_before_it() -> None:
    weight = parameter(np.ones((5, 3)))
    (step,) = steps_of(lambda x: ops.gelu(ops.linear(x, weight)), (2, 3))
    assert isinstance(step, Linear)
    assert step.activation == "gelu"


def test_a_product_that_is_read_twice_is_left_alone() -> None:
    weight = parameter(np.ones((3, 3)))

    def run(x: Any) -> Any:
        y = ops.linear(x, weight)
        return ops.silu(y) + y

    assert kinds(steps_of(run, (2, 3))) == ["Linear", "silu", "add"]


def test_repeated_pixels_are_convolved_before_they_are_repeated() -> None:
    weight = parameter(np.ones((5, 3, 1, 1)))

    def run(x: Any) -> Any:
        return ops.conv2d(ops.upsample_nearest(ops.downsample_mean(x)), weight, None)

    steps = steps_of(run, (2, 3, 8, 8))
    assert kinds(steps) == ["mean_of_four", "Linear", "copy"]
    assert steps[1].dst.shape == (2 * 4 * 4, 5)
