"""MoVQ against diffusers (tests/golden/make_unet_and_movq.py), and its refusals."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from mindspore import Tensor

from kandinsky_backend import ops
from kandinsky_backend.models.movq import RENAMED_LEAVES, MoVQ, MoVQConfig
from kandinsky_backend.ops import reference
from kandinsky_backend.weight_files import WeightFiles
from tests.golden import configs_unet_movq as configs
from tests.golden.cases_unet_movq import MOVQ_CASES
from tests.golden.compare import assert_close
from tests.golden.keys import key_digest
from tests.random_weights import random_input
from tests.weights_from_names import RandomWeights, RecordedShapes

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "unet_and_movq.npz")


def movq(config: dict[str, Any]) -> MoVQ:
    return MoVQ(MoVQConfig.from_dict(config), RandomWeights())


@cache
def movq_of(name: str) -> MoVQ:
    return movq(MOVQ_CASES[name][0])


def tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor.from_numpy(random_input(name, shape))


def golden(name: str) -> npt.NDArray[Any]:
    return np.asarray(GOLDEN[name])


@pytest.mark.parametrize("name", MOVQ_CASES)
def test_latents_of_a_picture_agree_with_the_reference(name: str) -> None:
    case = MOVQ_CASES[name][1]
    encoded = movq_of(name).encode(tensor("pixels", case["pixels"]))
    assert_close(f"{name}, encode", encoded.asnumpy(), golden(f"{name}/encoded"), limit=2e-5)


@pytest.mark.parametrize("name", MOVQ_CASES)
def test_quantised_latents_and_codes_agree_with_the_reference(name: str) -> None:
    case = MOVQ_CASES[name][1]
    quantised, codes = movq_of(name).quantise(tensor("latents", case["latents"]))
    np.testing.assert_array_equal(codes.asnumpy(), golden(f"{name}/codes"))
    assert_close(f"{name}, quantise", quantised.asnumpy(), golden(f"{name}/quantised"), limit=2e-5)


@pytest.mark.parametrize("name", MOVQ_CASES)
def test_picture_of_latents_agrees_with_the_reference(name: str) -> None:
    case, model = MOVQ_CASES[name][1], movq_of(name)
    latents = tensor("latents", case["latents"])
    assert_close(f"{name}, decode", model.decode(latents).asnumpy(), golden(f"{name}/decoded"), limit=2e-5)
    quantised, _ = model.quantise(latents)
    assert_close(
        f"{name}, decode quantised", model.decode(quantised).asnumpy(), golden(f"{name}/decoded quantised"), limit=2e-5
    )


def test_codes_are_the_same_however_many_points_are_compared_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    points, table = tensor("points", (23, 4)), tensor("table", (9, 4))
    at_once = ops.nearest_rows(points, table).asnumpy()
    monkeypatch.setattr(reference, "MAX_SCORE_BYTES", 4 * 9 * 5)
    np.testing.assert_array_equal(ops.nearest_rows(points, table).asnumpy(), at_once)
    distances = np.linalg.norm(points.asnumpy()[:, None] - table.asnumpy()[None], axis=2)
    np.testing.assert_array_equal(at_once, distances.argmin(axis=1))


def test_published_architecture_asks_for_the_keys_of_the_reference() -> None:
    weights = RecordedShapes()
    MoVQ(MoVQConfig.from_dict(configs.MOVQ_FULL), weights)
    assert key_digest(weights.shapes) == golden("MoVQ full size/digest").item()
    assert sum(int(np.prod(shape)) for shape in weights.shapes.values()) == golden("MoVQ full size/parameters").item()


def test_parameters_are_named_as_in_the_checkpoint() -> None:
    weights = RecordedShapes()
    MoVQ(MoVQConfig.from_dict(configs.MOVQ_TWO_LEVELS), weights)
    assert {parameter.name for parameter in movq(configs.MOVQ_TWO_LEVELS).get_parameters()} == set(weights.shapes)


def test_old_attention_keys_are_renamed_and_no_others() -> None:
    weights = RecordedShapes()
    MoVQ(MoVQConfig.from_dict(configs.MOVQ_FULL), weights)
    old_parts = {new: old for old, new in RENAMED_LEAVES.items()}
    current = dict.fromkeys(weights.shapes)
    old = {re.sub(r"to_(q|k|v|out\.0)(?=\.)", lambda part: old_parts[part[0]], key): None for key in current}
    assert "decoder.up_blocks.0.attentions.2.proj_attn.bias" in old
    assert WeightFiles(Path("old"), old).renamed(RENAMED_LEAVES).tensors == current
    assert WeightFiles(Path("current"), current).renamed(RENAMED_LEAVES).tensors == current


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("act_fn", "gelu"),
        ("lookup_from_codebook", True),
        ("mid_block_add_attention", False),
        ("norm_type", "group"),
        ("vq_embed_dim", 8),
        ("latent_channels", 0),
        ("layers_per_block", None),
        ("num_vq_embeddings", "16384"),
    ],
)
def test_value_that_is_not_implemented_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{key}.*{value}"):
        MoVQConfig.from_dict({**configs.MOVQ_FULL, key: value})


@pytest.mark.parametrize(
    "key",
    [
        "block_out_channels",
        "down_block_types",
        "in_channels",
        "latent_channels",
        "layers_per_block",
        "norm_num_groups",
        "norm_type",
        "num_vq_embeddings",
        "out_channels",
        "up_block_types",
    ],
)
def test_a_key_that_is_left_out_is_named(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        MoVQConfig.from_dict({name: value for name, value in configs.MOVQ_FULL.items() if name != key})


@pytest.mark.parametrize("key", ["down_block_types", "up_block_types"])
def test_block_that_is_not_implemented_is_refused_by_name(key: str) -> None:
    with pytest.raises(ValueError, match=rf"{key}.*SkipUpBlock2D"):
        MoVQConfig.from_dict({**configs.MOVQ_FULL, key: [*configs.MOVQ_FULL[key][:3], "SkipUpBlock2D"]})


def test_picture_that_does_not_halve_evenly_is_refused() -> None:
    with pytest.raises(ValueError, match=r"14 x 11.*multiples of 2"):
        movq(configs.MOVQ_TWO_LEVELS).encode(tensor("pixels", (1, 3, 11, 14)))
