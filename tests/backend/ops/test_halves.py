"""Whole models: plans against MindSpore's own operators, and against themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mindspore import Tensor, nn

from kandinsky_backend.models.movq import MoVQ, MoVQConfig
from kandinsky_backend.models.unet import UNet2DConditionModel, UNetConfig
from kandinsky_backend.ops.plans import planned as planned_methods
from kandinsky_backend.ops.plans.planned import planned, plans_of
from kandinsky_backend.ops.plans.runtime import switched_off
from tests.golden import configs_unet_movq as configs
from tests.random_weights import random_input
from tests.weights_from_names import RandomWeights

FEW = settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor.from_numpy(random_input(name, shape))


@st.composite
def unets(draw: st.DrawFn) -> dict[str, Any]:
    """A config.json of a small UNet."""
    levels = draw(st.integers(1, 3))
    attends = st.lists(st.booleans(), min_size=levels, max_size=levels)
    return {
        **configs.UNET_TWO_LEVELS,
        "in_channels": draw(st.integers(1, 9)),
        "out_channels": draw(st.integers(1, 8)),
        "block_out_channels": draw(st.lists(st.sampled_from([8, 16, 24, 40]), min_size=levels, max_size=levels)),
        "down_block_types": [
            "SimpleCrossAttnDownBlock2D" if yes else "ResnetDownsampleBlock2D" for yes in draw(attends)
        ],
        "up_block_types": ["SimpleCrossAttnUpBlock2D" if yes else "ResnetUpsampleBlock2D" for yes in draw(attends)],
        "layers_per_block": draw(st.integers(1, 2)),
        "attention_head_dim": draw(st.sampled_from([4, 8])),
        "norm_num_groups": draw(st.sampled_from([1, 2, 8])),
    }


@st.composite
def movqs(draw: st.DrawFn) -> dict[str, Any]:
    """A config.json of a small MoVQ, whose decoder's norms have 32 groups."""
    levels = draw(st.integers(1, 3))
    attends = st.lists(st.booleans(), min_size=levels, max_size=levels)
    return {
        **configs.MOVQ_TWO_LEVELS,
        "block_out_channels": draw(st.lists(st.sampled_from([32, 64]), min_size=levels, max_size=levels)),
        "down_block_types": ["AttnDownEncoderBlock2D" if yes else "DownEncoderBlock2D" for yes in draw(attends)],
        "up_block_types": ["AttnUpDecoderBlock2D" if yes else "UpDecoderBlock2D" for yes in draw(attends)],
        "latent_channels": (latents := draw(st.integers(1, 5))),
        "vq_embed_dim": latents,
    }


def predict(model: UNet2DConditionModel, batch: int, sides: tuple[int, int], tokens: int) -> np.ndarray[Any, Any]:
    config = model.config
    conditioning = model.condition(
        model.project_text(tensor("hidden", batch, tokens, config.encoder_hid_dim)),
        tensor("text", batch, config.cross_attention_dim),
        tensor("image", batch, config.cross_attention_dim),
    )
    sides = tuple(config.size_multiple * side for side in sides)
    return model(tensor("sample", batch, config.in_channels, *sides), 500, conditioning).asnumpy()


@FEW
@given(unets(), st.integers(1, 3), st.tuples(st.integers(1, 5), st.integers(1, 5)), st.integers(1, 5))
def test_a_unet_predicts_the_same_in_both_halves(
    config: dict[str, Any], batch: int, sides: tuple[int, int], tokens: int
) -> None:
    model = UNet2DConditionModel(UNetConfig.from_dict(config), RandomWeights())
    ours = predict(model, batch, sides, tokens)
    assert plans_of(model) is not None
    with switched_off():
        theirs = predict(model, batch, sides, tokens)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@FEW
@given(movqs(), st.integers(1, 2), st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_a_movq_encodes_and_decodes_the_same_in_both_halves(
    config: dict[str, Any], batch: int, sides: tuple[int, int]
) -> None:
    model = MoVQ(MoVQConfig.from_dict(config), RandomWeights())
    pixels = tensor("pixels", batch, 3, *(model.config.scale * side for side in sides))
    latents = tensor("latents", batch, model.config.latent_channels, *sides)
    ours = model.encode(pixels).asnumpy(), model.decode(latents).asnumpy()
    with switched_off():
        theirs = model.encode(pixels).asnumpy(), model.decode(latents).asnumpy()
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)


def test_the_same_input_gives_the_same_bytes_200_times() -> None:
    model = UNet2DConditionModel(UNetConfig.from_dict(configs.UNET_TWO_LEVELS), RandomWeights())
    first = predict(model, 2, (5, 3), 4).tobytes()
    assert all(predict(model, 2, (5, 3), 4).tobytes() == first for _ in range(200))


def test_a_plan_serves_all_inputs_of_its_shapes_and_weights_are_packed_once() -> None:
    model = UNet2DConditionModel(UNetConfig.from_dict(configs.UNET_TWO_LEVELS), RandomWeights())
    predict(model, 2, (5, 3), 4)
    plans = plans_of(model)
    assert plans is not None
    packed = plans.store.nbytes
    predict(model, 2, (5, 3), 4)
    assert len(plans.plans) == 3  # of `project_text`, `project_image` and `predict`
    assert plans.store.nbytes == packed
    predict(model, 3, (2, 4), 1)
    assert len(plans.plans) == 6
    assert plans.store.nbytes < 2 * packed


def test_a_large_model_keeps_one_plan_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned_methods, "LARGE", 1)
    model = UNet2DConditionModel(UNetConfig.from_dict(configs.UNET_TWO_LEVELS), RandomWeights())
    first = predict(model, 2, (5, 3), 4)
    plans = plans_of(model)
    assert plans is not None
    packed = plans.store.nbytes
    predict(model, 2, (2, 4), 1)
    assert len(plans.plans) == 3
    assert plans.store.nbytes < 1.5 * packed
    np.testing.assert_array_equal(predict(model, 2, (5, 3), 4), first)


def test_a_model_that_goes_takes_its_plans_along() -> None:
    import gc
    import weakref

    model = UNet2DConditionModel(UNetConfig.from_dict(configs.UNET_TWO_LEVELS), RandomWeights())
    predict(model, 1, (1, 1), 1)
    gone = weakref.ref(plans_of(model))
    del model
    gc.collect()
    assert gone() is None


class Iterates(nn.Cell):
    """Does with a stand-in what plans cannot know of."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = RandomWeights().take("weight", (2, 2))

    @planned
    def total(self, x: Tensor) -> Tensor:
        return sum(x)


def test_what_plans_know_nothing_of_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="iterates over <argument"):
        Iterates().total(tensor("x", 2, 2))
