"""Every operation as a plan against plain numpy: odd channels, odd sizes, batches of 1 to 8, one thread and many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from kandinsky_backend import ops
from kandinsky_backend.ops.plans import planner, winograd
from kandinsky_backend.ops.plans.regions import Dtype
from kandinsky_backend.ops.plans.winograd import tile_for
from tests.backend.ops import numpy_operations as expected
from tests.backend.ops.harness import parameter, run

Array = npt.NDArray[Any]
SEEDS = range(6)
THREADS = (1, 2, 5)


class Draw:
    """Random sizes and values."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.threads = THREADS[seed % len(THREADS)]

    def size(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))

    def values(self, *shape: int) -> Array:
        return self.rng.standard_normal(shape, dtype=np.float32).astype(np.float64)

    def map(self, channels: int, multiple: int = 1) -> Array:
        sides = [multiple * self.size(1, 13) for _ in range(2)]
        return self.values(self.size(1, 8), channels, *sides)


@pytest.fixture(params=SEEDS)
def draw(request: pytest.FixtureRequest) -> Draw:
    return Draw(request.param)


def check(draw: Draw, function: Callable[..., Any], wanted: Array, *arrays: Array, atol: float = 2e-5) -> None:
    np.testing.assert_allclose(run(function, *arrays, threads=draw.threads), wanted, atol=atol, rtol=2e-5)


def test_linear(draw: Draw) -> None:
    inner, out = draw.size(1, 70), draw.size(1, 70)
    x, weight, bias = draw.values(draw.size(1, 8), draw.size(1, 9), inner), draw.values(out, inner), draw.values(out)
    layer = parameter(weight), parameter(bias)
    check(draw, lambda x: ops.linear(x, *layer), expected.linear(x, weight, bias), x)
    check(draw, lambda x: ops.linear(x[:, -1], *layer), expected.linear(x[:, -1], weight, bias), x)
    check(draw, lambda x: ops.linear(x, layer[0]), expected.linear(x, weight, np.zeros(out)), x)


@pytest.mark.parametrize("activation", ["silu", "quick_gelu", "gelu"])
def test_activations_alone_and_behind_a_layer(draw: Draw, activation: str) -> None:
    ours, theirs = getattr(ops, activation), getattr(expected, activation)
    inner, out = draw.size(1, 40), draw.size(1, 40)
    x, weight, bias = 3.0 * draw.values(draw.size(1, 8), inner), draw.values(out, inner), draw.values(out)
    layer = parameter(weight), parameter(bias)
    check(draw, ours, theirs(x), x)
    check(draw, lambda x: ours(ops.linear(x, *layer)), theirs(expected.linear(x, weight, bias)), x, atol=1e-4)


def test_activations_far_from_0() -> None:
    x = np.array([-1e30, -200.0, -88.0, -87.0, -1e-30, 0.0, 1e-30, 87.0, 88.5, 200.0, 1e30])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(run(ops.silu, x), expected.silu(x), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kernel", [1, 3])
def test_convolution(draw: Draw, kernel: int) -> None:
    channels, out, stride = draw.size(1, 40), draw.size(1, 40), draw.size(1, 2)
    x, weight, bias = draw.map(channels, stride), draw.values(out, channels, kernel, kernel), draw.values(out)
    layer, padding = (parameter(weight), parameter(bias)), kernel // 2
    wanted = expected.conv2d(x, weight, bias, stride, (padding, padding))
    check(draw, lambda x: ops.conv2d(x, *layer, stride, padding), wanted, x, atol=1e-4)


@pytest.mark.parametrize("tile", [2, 4])
def test_convolution_in_tiles(draw: Draw, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "tile_for", lambda *shapes: tile)
    channels, out = draw.size(1, 40), draw.size(1, 40)
    x, weight, bias = draw.map(channels), draw.values(out, channels, 3, 3), draw.values(out)
    residual = draw.values(x.shape[0], out, *x.shape[2:])
    layer = parameter(weight), parameter(bias)
    wanted = expected.conv2d(x, weight, bias, 1, (1, 1))
    check(draw, lambda x: ops.conv2d(x, *layer, padding=1), wanted, x, atol=5e-4)
    check(draw, lambda x, r: ops.conv2d(x, *layer, padding=1) + r, wanted + residual, x, residual, atol=5e-4)


def test_convolution_in_several_bands_of_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = Draw(0)
    x, weight, bias = draw.values(1, 256, 96, 92), draw.values(8, 256, 3, 3) / 48, draw.values(8)
    monkeypatch.setattr(planner, "tile_for", lambda *shapes: 4)
    layer = parameter(weight), parameter(bias)
    check(draw, lambda x: ops.conv2d(x, *layer, padding=1), expected.conv2d(x, weight, bias, 1, (1, 1)), x, atol=1e-4)


@pytest.mark.parametrize(
    ("src", "weight", "in_float32", "in_bfloat16"),
    [
        ((2, 384, 64, 64), (384, 384, 3, 3), 4, 2),
        ((2, 768, 32, 32), (768, 768, 3, 3), 2, 2),
        ((2, 1152, 16, 16), (1152, 1152, 3, 3), 0, 2),
        ((2, 1536, 8, 8), (1536, 1536, 3, 3), 0, 0),
        ((1, 256, 128, 128), (256, 256, 3, 3), 4, 2),
        ((1, 64, 128, 128), (64, 64, 3, 3), 0, 0),
        ((2, 4, 64, 64), (384, 4, 3, 3), 0, 0),
        ((2, 384, 64, 64), (384, 384, 1, 1), 0, 0),
    ],
)
def test_large_maps_are_convolved_in_tiles(
    src: tuple[int, ...],
    weight: tuple[int, ...],
    in_float32: int,
    in_bfloat16: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tile(dtype: Dtype) -> int:
        return tile_for(dtype, src, weight, 1, (1, 1))

    for has_matrix_unit, wanted in ((False, in_bfloat16), (True, 0)):
        monkeypatch.setattr(winograd, "has_matrix_unit", lambda has=has_matrix_unit: has)
        assert (tile(Dtype.FLOAT32), tile(Dtype.BFLOAT16)) == (in_float32, wanted)


def test_convolution_that_halves(draw: Draw) -> None:
    channels, out = draw.size(1, 40), draw.size(1, 40)
    x, weight, bias = draw.map(channels, 2), draw.values(out, channels, 3, 3), draw.values(out)
    layer = parameter(weight), parameter(bias)
    wanted = expected.conv2d(x, weight, bias, 2, (0, 1))
    check(draw, lambda x: ops.downsample_conv2d(x, *layer), wanted, x, atol=1e-4)


def test_residuals_are_added(draw: Draw) -> None:
    channels, out = draw.size(1, 40), draw.size(1, 40)
    x, weight, bias = draw.map(channels), draw.values(out, channels, 3, 3), draw.values(out)
    residual = draw.values(x.shape[0], out, *x.shape[2:])
    layer = parameter(weight), parameter(bias)
    wanted = expected.conv2d(x, weight, bias, 1, (1, 1)) + residual
    check(draw, lambda x, r: ops.conv2d(x, *layer, padding=1) + r, wanted, x, residual, atol=1e-4)
    wanted += expected.silu(residual) - residual
    check(draw, lambda x, r: ops.silu(r) + ops.conv2d(x, *layer, padding=1), wanted, x, residual, atol=1e-4)


def test_a_residual_of_a_map_is_added_to_tokens(draw: Draw) -> None:
    channels = draw.size(1, 40)
    x, weight, bias = draw.map(channels), draw.values(channels, channels), draw.values(channels)
    layer = parameter(weight), parameter(bias)

    def through_tokens(x: Any) -> Any:
        normed = ops.silu(x)
        tokens = ops.linear(ops.map_to_tokens(normed), *layer)
        return x + ops.tokens_to_map(tokens, x.shape[2], x.shape[3])

    product = np.einsum("bchw,oc->bohw", expected.silu(x), weight) + bias[:, None, None]
    check(draw, through_tokens, x + product, x, atol=1e-4)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_group_norm(draw: Draw, offset: float) -> None:
    groups = draw.size(1, 5)
    channels = groups * draw.size(1, 9)
    x = (draw.map(channels) + offset).astype(np.float32).astype(np.float64)
    weight, bias = draw.values(channels), draw.values(channels)
    affine = parameter(weight), parameter(bias)
    wanted = expected.group_norm(x, groups, weight, bias, 1e-5)
    atol = 2e-5 if offset == 0 else 5e-4
    check(draw, lambda x: ops.group_norm(x, groups, *affine, 1e-5), wanted, x, atol=atol)
    check(draw, lambda x: ops.silu(ops.group_norm(x, groups, *affine, 1e-5)), expected.silu(wanted), x, atol=atol)


def test_group_norm_of_each_sample(draw: Draw) -> None:
    groups = draw.size(1, 5)
    channels = groups * draw.size(1, 9)
    x = draw.map(channels)
    weight, bias = draw.values(len(x), channels), draw.values(len(x), channels)
    wanted = expected.group_norm(x, groups, weight, bias, 1e-5)
    check(draw, lambda x, w, b: ops.group_norm_each(x, groups, w, b, 1e-5), wanted, x, weight, bias)


def test_group_norm_steered_by_maps(draw: Draw) -> None:
    channels, factor = 2 * draw.size(1, 20), draw.size(1, 3)
    small = draw.map(3)
    x = draw.values(len(small), channels, *(factor * side for side in small.shape[2:]))
    scale, shift = draw.values(channels, 3, 1, 1), draw.values(channels, 3, 1, 1)
    weight, bias = draw.values(channels), draw.values(channels)
    maps, affine = (parameter(scale), parameter(shift)), (parameter(weight), parameter(bias))

    def steered(x: Any, small: Any) -> Any:
        guide = ops.resize_nearest(small, x.shape[2], x.shape[3])
        scaled = ops.group_norm(x, 2, *affine, 1e-6) * ops.conv2d(guide, maps[0], None)
        return ops.silu(scaled + ops.conv2d(guide, maps[1], None))

    guide = expected.resize(small, factor)
    normed = expected.group_norm(x, 2, weight, bias, 1e-6)
    wanted = normed * np.einsum("bchw,ocij->bohw", guide, scale) + np.einsum("bchw,ocij->bohw", guide, shift)
    check(draw, steered, expected.silu(wanted), x, small, atol=1e-4)


def test_layer_norm(draw: Draw) -> None:
    width = draw.size(2, 70)
    x, weight, bias = draw.values(draw.size(1, 8), draw.size(1, 9), width), draw.values(width), draw.values(width)
    affine = parameter(weight), parameter(bias)
    wanted = expected.layer_norm(x, weight, bias, 1e-5)
    check(draw, lambda x: ops.layer_norm(x, *affine, 1e-5), wanted, x)


def test_attention(draw: Draw) -> None:
    batch, heads, width = draw.size(1, 8), draw.size(1, 4), draw.size(1, 33)
    queries, keys = draw.size(1, 150), draw.size(1, 150)
    query = draw.values(batch, heads, queries, width)
    key, value = draw.values(batch, heads, keys, width), draw.values(batch, heads, keys, width)
    check(draw, ops.attention, expected.attention(query, key, value), query, key, value)
    for shape in ((batch, 1, 1, keys), (1, 1, queries, keys)):
        mask = np.where(draw.values(*shape) > 0.5, np.float32(-10000), np.float32(0))
        mask[..., 0] = 0
        check(draw, ops.attention, expected.attention(query, key, value, mask), query, key, value, mask)


@pytest.mark.parametrize("others", [1, 2, 3])
def test_attention_to_tokens_in_parts(draw: Draw, others: int) -> None:
    batch, heads, width, queries = draw.size(1, 8), draw.size(1, 4), draw.size(1, 33), draw.size(1, 90)
    x = draw.values(batch, queries, heads * width)
    tokens = [draw.values(batch, heads, draw.size(1, 9), width) for _ in range(others)]

    def in_parts(x: Any, *tokens: Any) -> Any:
        split = x.reshape(batch, queries, heads, width).transpose(0, 2, 1, 3)
        key = ops.concat([*tokens, split], axis=2)
        mixed = ops.attention(split, key, key)
        return mixed.transpose(0, 2, 1, 3).reshape(batch, queries, heads * width)

    split = x.reshape(batch, queries, heads, width).transpose(0, 2, 1, 3)
    key = np.concatenate([*tokens, split], axis=2)
    mixed = expected.attention(split, key, key)
    check(draw, in_parts, mixed.transpose(0, 2, 1, 3).reshape(x.shape), x, *tokens)


def test_a_concatenation_is_normed_and_convolved_in_parts(draw: Draw) -> None:
    first = draw.map(draw.size(1, 30))
    second = draw.values(len(first), draw.size(1, 30), *first.shape[2:])
    channels, out = first.shape[1] + second.shape[1], draw.size(1, 20)
    weight, bias = draw.values(out, channels, 1, 1), draw.values(out)
    kernel, ones = draw.values(out, channels, 3, 3), np.ones(channels, np.float32)
    shortcut, layer, affine = (parameter(weight), parameter(bias)), (parameter(kernel), None), (parameter(ones),) * 2

    def block(first: Any, second: Any) -> Any:
        x = ops.concat([first, second], axis=1)
        hidden = ops.conv2d(ops.silu(ops.group_norm(x, 1, *affine, 1e-5)), *layer, padding=1)
        return hidden + ops.conv2d(x, *shortcut)

    x = np.concatenate([first, second], axis=1)
    normed = expected.silu(expected.group_norm(x, 1, ones, ones, 1e-5))
    wanted = expected.conv2d(normed, kernel, np.zeros(out), 1, (1, 1)) + expected.conv2d(x, weight, bias, 1, (0, 0))
    check(draw, block, wanted, first, second, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_concatenation_and_its_inverse(draw: Draw, axis: int) -> None:
    x, y = draw.map(draw.size(1, 9)), draw.map(3)
    y = np.resize(y, [size if i != axis else draw.size(1, 5) for i, size in enumerate(x.shape)])
    check(draw, lambda x, y: ops.concat([x, y], axis), np.concatenate([x, y], axis), x, y)
    twice = np.concatenate([x, x], axis)
    check(draw, lambda z: ops.split(z, 2, axis)[1], x, twice)


def test_sizes_of_maps_change(draw: Draw) -> None:
    x = draw.map(draw.size(1, 20), 2)
    check(draw, ops.upsample_nearest, expected.resize(x, 2), x)
    check(draw, ops.downsample_mean, expected.mean_of_four(x), x)
    large = expected.resize(x, 3)
    check(draw, lambda x: ops.resize_nearest(x, *large.shape[2:]), large, x)


def test_sums_and_products_broadcast(draw: Draw) -> None:
    x, row, column = draw.values(4, 3, 5), draw.values(5), draw.values(3, 1)
    check(draw, lambda x, r, c: (x * r + c) * 2.0 + 1.0, (x * row + column) * 2 + 1, x, row, column)
    check(draw, lambda x, c: c * x.transpose(2, 1, 0), column * x.transpose(2, 1, 0), x, column)


def test_rows_of_a_table(draw: Draw) -> None:
    table, rows = draw.values(draw.size(3, 20), draw.size(1, 33)), draw.rng.integers(0, 3, (2, 5)).astype(np.int32)
    kept = parameter(table)
    check(draw, lambda rows: ops.take_rows(kept, rows), table[rows], rows)
    check(draw, lambda table, rows: ops.take_rows(ops.silu(table), rows), expected.silu(table)[rows], table, rows)


def test_a_row_that_a_table_does_not_have_is_refused() -> None:
    from kandinsky_backend.ops.plans.native import PlanError

    kept = parameter(np.ones((4, 2), np.float32))
    with pytest.raises(PlanError, match="row 4 is asked for of a table of 4"):
        run(lambda rows: ops.take_rows(kept, rows), np.array([1, 4], np.int32))
