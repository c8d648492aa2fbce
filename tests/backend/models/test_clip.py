"""CLIP's encoders agree with transformers, and refuse what they do not implement."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from kandinsky_backend.errors import WeightsError
from kandinsky_backend.models import clip
from kandinsky_backend.models.clip import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)
from kandinsky_backend.weights import Weights
from tests.golden import configs, text_and_prior_inputs
from tests.golden.compare import assert_close
from tests.golden.keys import key_digest
from tests.golden.text_and_prior import GOLDEN
from tests.refusals import refused
from tests.weights_from_names import NoSource, RandomWeights, RecordedShapes


def text_model(architecture: str, dtype: ms.Type = ms.float32) -> CLIPTextModelWithProjection:
    config = CLIPTextConfig.from_dict(configs.CLIP_TEXT[architecture])
    return CLIPTextModelWithProjection(config, RandomWeights(dtype=dtype))


def vision_model(architecture: str, dtype: ms.Type = ms.float32) -> CLIPVisionModelWithProjection:
    config = CLIPVisionConfig.from_dict(configs.CLIP_VISION[architecture])
    return CLIPVisionModelWithProjection(config, RandomWeights(dtype=dtype))


def prompt_ids(architecture: str) -> np.ndarray:
    return text_and_prior_inputs.clip_ids(configs.CLIP_TEXT[architecture])


@pytest.mark.parametrize("architecture", ["a", "b"])
def test_text_encoder_matches_transformers(architecture: str) -> None:
    embeds, states = text_model(architecture)(Tensor(prompt_ids(architecture)))
    for output, ours in (("text_embeds", embeds), ("last_hidden_state", states)):
        key = f"clip_text/{architecture}/{output}"
        assert_close(key, ours.asnumpy(), GOLDEN[key], limit=1e-4)


@pytest.mark.parametrize("architecture", ["a", "b"])
def test_image_encoder_matches_transformers(architecture: str) -> None:
    pixels = text_and_prior_inputs.pixels(configs.CLIP_VISION[architecture])
    key = f"clip_vision/{architecture}/image_embeds"
    assert_close(key, vision_model(architecture)(Tensor(pixels)).asnumpy(), GOLDEN[key], limit=1e-4)


def test_encoders_compute_in_the_precision_of_their_weights() -> None:
    embeds, states = text_model("a", ms.float16)(Tensor(prompt_ids("a")))
    pixels = text_and_prior_inputs.pixels(configs.CLIP_VISION["a"])
    image_embeds = vision_model("a", ms.float16)(Tensor(pixels))
    assert embeds.dtype == states.dtype == image_embeds.dtype == ms.float16
    assert np.abs(embeds.asnumpy() - GOLDEN["clip_text/a/text_embeds"]).max() < 0.05
    assert np.abs(image_embeds.asnumpy() - GOLDEN["clip_vision/a/image_embeds"]).max() < 0.05


def test_a_prompt_does_not_depend_on_the_others_in_its_batch() -> None:
    model, ids = text_model("a"), prompt_ids("a")
    together, _ = model(Tensor(ids))
    alone, _ = model(Tensor(ids[1:2]))
    np.testing.assert_allclose(together.asnumpy()[1:2], alone.asnumpy(), atol=1e-5)


def test_a_token_does_not_see_later_ones() -> None:
    model, ids = text_model("b"), prompt_ids("b")
    changed = ids.copy()
    changed[:, 9:-1] = 1
    _, states = model(Tensor(ids))
    _, changed_states = model(Tensor(changed))
    np.testing.assert_allclose(states.asnumpy()[:, :9], changed_states.asnumpy()[:, :9], atol=1e-5)
    assert np.abs(states.asnumpy()[:, 9:] - changed_states.asnumpy()[:, 9:]).max() > 0.1


@pytest.mark.parametrize(
    ("eos_token_id", "expected"),
    [
        (2, [3, 1]),  # an old config: the first of the highest ids
        (7, [2, 3]),  # the first of that id
    ],
)
def test_the_end_of_a_text_is_found_by_the_rule_of_its_config(eos_token_id: int, expected: list[int]) -> None:
    ids = np.array([[1, 2, 7, 9, 9, 7], [1, 9, 2, 7, 7, 7]])
    assert clip.first_end_of_text(ids, eos_token_id).tolist() == expected


def test_a_prompt_without_an_end_is_refused() -> None:
    ids = prompt_ids("b")
    ids[1, 3] = 0
    with pytest.raises(ValueError, match="no end-of-text token, 57"):
        text_model("b")(Tensor(ids))


@pytest.mark.parametrize("token_id", [-1, 99])
def test_a_token_outside_the_vocabulary_is_refused(token_id: int) -> None:
    ids = prompt_ids("a")
    ids[2, 4] = token_id
    with pytest.raises(ValueError, match=f"token id {token_id} .* vocabulary of 99"):
        text_model("a")(Tensor(ids))


def test_too_many_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"17 tokens .* 16 positions"):
        text_model("b")(Tensor(np.full((1, 17), 57, np.int32)))


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(B, 3, 56, 56\), not \(1, 3, 56, 48\)"):
        vision_model("a")(Tensor(np.zeros((1, 3, 56, 48), np.float32)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "gelu"}, "'hidden_act': 'gelu'"),
        ({"hidden_size": "768"}, "'hidden_size': '768'"),
        ({"num_hidden_layers": 0}, "'num_hidden_layers': 0"),
        ({"layer_norm_eps": 0}, "'layer_norm_eps': 0"),
        ({"eos_token_id": None}, "'eos_token_id': None"),
        ({"eos_token_id": 50000}, "eos_token_id 50000 .* vocab_size 49408"),
        ({"num_attention_heads": 7}, "hidden_size 768 .* num_attention_heads 7"),
    ],
)
def test_a_text_config_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLIPTextConfig.from_dict(configs.CLIP_TEXT["published"] | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_channels": 4}, "'num_channels': 4"),
        ({"hidden_act": "gelu"}, "'hidden_act': 'gelu'"),
        ({"patch_size": 300}, "image_size 224 .* patch_size 300"),
    ],
)
def test_a_vision_config_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLIPVisionConfig.from_dict(configs.CLIP_VISION["published"] | changes)


@pytest.mark.parametrize("missing", ["vocab_size", "projection_dim", "max_position_embeddings"])
def test_a_config_without_a_size_is_refused(missing: str) -> None:
    config = {key: value for key, value in configs.CLIP_TEXT["published"].items() if key != missing}
    with pytest.raises(ValueError, match=f"no '{missing}'"):
        CLIPTextConfig.from_dict(config)


def test_the_published_architectures_take_the_published_keys() -> None:
    text, vision = RecordedShapes(), RecordedShapes()
    text_model = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(configs.CLIP_TEXT["published"]), text)
    vision_model = CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(configs.CLIP_VISION["published"]), vision)
    assert key_digest(text.shapes) == GOLDEN["clip_text/published_keys"]
    assert key_digest(vision.shapes) == GOLDEN["clip_vision/published_keys"]
    assert {name for name, _ in text_model.parameters_and_names()} == set(text.shapes)
    assert {name for name, _ in vision_model.parameters_and_names()} == set(vision.shapes)


def test_a_misshapen_tensor_is_refused_by_its_key() -> None:
    source = NoSource()
    source.shapes = {"text_model.embeddings.token_embedding.weight": (98, 32)}
    with refused(WeightsError, "misshapen", found=[98, 32], shape=[99, 32]):
        CLIPTextModelWithProjection(CLIPTextConfig.from_dict(configs.CLIP_TEXT["a"]), Weights(source, ms.float32))
