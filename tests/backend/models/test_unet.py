"""The UNet against diffusers (tests/golden/make_unet_and_movq.py), and its refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np
import numpy.typing as npt
import pytest
from mindspore import Tensor

from kandinsky_backend.errors import WeightsError
from kandinsky_backend.models.unet import UNet2DConditionModel, UNetConfig
from kandinsky_backend.weights import Weights
from tests.golden import configs_unet_movq as configs
from tests.golden.cases_unet_movq import UNET_CASES, unet_inputs
from tests.golden.compare import assert_close
from tests.golden.keys import key_digest
from tests.random_weights import random_tensor
from tests.refusals import refused
from tests.weights_from_names import RandomWeights, RecordedShapes

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "unet_and_movq.npz")


def run(model: UNet2DConditionModel, timestep: int, inputs: dict[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    told = {name: Tensor.from_numpy(values) for name, values in inputs.items()}
    sample, text = told.pop("sample"), model.project_text(told.pop("encoder_hidden_states"))
    return model(sample, timestep, model.condition(text, **told)).asnumpy()


def small_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(UNetConfig.from_dict(configs.UNET_TWO_LEVELS), RandomWeights())


@pytest.mark.parametrize("name", UNET_CASES)
def test_prediction_agrees_with_the_reference(name: str) -> None:
    config, case = UNET_CASES[name]
    model = UNet2DConditionModel(UNetConfig.from_dict(config), RandomWeights())
    ours = run(model, case["timestep"], unet_inputs(case, config))
    assert_close(name, ours, GOLDEN[f"{name}/output"], limit=2e-5)


def test_samples_of_a_batch_do_not_touch_each_other() -> None:
    config, case = UNET_CASES["UNet two levels"]
    inputs = unet_inputs(case, config)
    model = small_unet()
    together = run(model, 500, inputs)
    for i in range(case["batch"]):
        alone = run(model, 500, {name: values[i : i + 1] for name, values in inputs.items()})
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


def test_published_architecture_asks_for_the_keys_of_the_reference() -> None:
    weights = RecordedShapes()
    UNet2DConditionModel(UNetConfig.from_dict(configs.UNET_FULL), weights)
    assert key_digest(weights.shapes) == GOLDEN["UNet full size/digest"].item()
    parameters = sum(int(np.prod(shape)) for shape in weights.shapes.values())
    assert parameters == GOLDEN["UNet full size/parameters"].item()
    assert round(parameters / 1e6) == 1229


def test_parameters_are_named_as_in_the_checkpoint() -> None:
    weights = RecordedShapes()
    UNet2DConditionModel(UNetConfig.from_dict(configs.UNET_TWO_LEVELS), weights)
    assert {parameter.name for parameter in small_unet().get_parameters()} == set(weights.shapes)


@pytest.mark.parametrize(
    "key",
    [
        "attention_head_dim",
        "block_out_channels",
        "cross_attention_dim",
        "encoder_hid_dim",
        "in_channels",
        "layers_per_block",
        "norm_num_groups",
        "out_channels",
        "up_block_types",
    ],
)
def test_a_size_that_is_left_out_is_named(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        UNetConfig.from_dict({name: value for name, value in configs.UNET_FULL.items() if name != key})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("act_fn", "gelu"),
        ("addition_embed_type", "image"),
        ("center_input_sample", True),
        ("class_embed_type", "timestep"),
        ("cross_attention_norm", "layer_norm"),
        ("dual_cross_attention", True),
        ("encoder_hid_dim_type", "text_proj"),
        ("flip_sin_to_cos", False),
        ("freq_shift", 1),
        ("mid_block_type", None),
        ("num_attention_heads", 4),
        ("only_cross_attention", True),
        ("resnet_time_scale_shift", "default"),
        ("resnet_skip_time_act", True),
        ("time_embedding_type", "fourier"),
        ("upcast_attention", True),
    ],
)
def test_value_that_is_not_implemented_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{key}.*{value}"):
        UNetConfig.from_dict({**configs.UNET_FULL, key: value})


@pytest.mark.parametrize(
    "key",
    ["addition_embed_type", "down_block_types", "encoder_hid_dim_type", "mid_block_type", "resnet_time_scale_shift"],
)
def test_left_out_key_whose_default_is_not_implemented_is_refused_by_name(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        UNetConfig.from_dict({name: value for name, value in configs.UNET_FULL.items() if name != key})


@pytest.mark.parametrize("key", ["down_block_types", "up_block_types"])
def test_block_that_is_not_implemented_is_refused_by_name(key: str) -> None:
    blocks = [*configs.UNET_FULL[key][:3], "KDownBlock2D"]
    with pytest.raises(ValueError, match=rf"{key}.*KDownBlock2D"):
        UNetConfig.from_dict({**configs.UNET_FULL, key: blocks})
    with pytest.raises(ValueError, match=rf"{key}.*list of 4 block names"):
        UNetConfig.from_dict({**configs.UNET_FULL, key: configs.UNET_FULL[key][:3]})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("encoder_hid_dim", None),
        ("attention_head_dim", [8, 8, 8, 8]),
        ("layers_per_block", [3, 3, 3, 3]),
        ("norm_num_groups", None),
        ("block_out_channels", 384),
        ("block_out_channels", [384, 0, 1152, 1536]),
        ("norm_eps", "1e-5"),
    ],
)
def test_size_that_is_none_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key):
        UNetConfig.from_dict({**configs.UNET_FULL, key: value})


def test_head_width_that_does_not_divide_the_channels_is_refused() -> None:
    config = UNetConfig.from_dict({**configs.UNET_TWO_LEVELS, "attention_head_dim": 48})
    with pytest.raises(ValueError, match=r"64 channels.*48"):
        UNet2DConditionModel(config, RandomWeights())


def test_latents_that_do_not_halve_evenly_are_refused() -> None:
    config, case = UNET_CASES["UNet two levels"]
    inputs = unet_inputs({**case, "size": (6, 5)}, config)
    with pytest.raises(ValueError, match=r"5 x 6.*multiples of 2"):
        run(small_unet(), 1, inputs)


class Source:
    """A checkpoint of the small UNet with one tensor of another shape."""

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        self.shapes = shapes

    def read(self, key: str) -> npt.NDArray[np.float32]:
        return random_tensor(key, self.shapes[key])

    def describe(self) -> str:
        return "unet.safetensors"


def test_wrong_shape_is_refused_by_key() -> None:
    config = UNetConfig.from_dict(configs.UNET_TWO_LEVELS)
    recorded = RecordedShapes()
    UNet2DConditionModel(config, recorded)
    key = "mid_block.attentions.0.add_k_proj.weight"
    source = Source({**recorded.shapes, key: (64, 25)})
    with refused(WeightsError, "misshapen", key=key, found=[64, 25], shape=[64, 24]):
        UNet2DConditionModel(config, Weights(source, ms.float32))


def test_whole_checkpoint_is_taken() -> None:
    config = UNetConfig.from_dict(configs.UNET_TWO_LEVELS)
    recorded = RecordedShapes()
    UNet2DConditionModel(config, recorded)
    weights = Weights(Source(recorded.shapes), ms.float32)
    UNet2DConditionModel(config, weights)
    weights.finish()
