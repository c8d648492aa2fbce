"""The multilingual text encoder agrees with diffusers, and refuses what it does not implement."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from kandinsky_backend.errors import WeightsError
from kandinsky_backend.models import xlm_roberta
from kandinsky_backend.models.xlm_roberta import MultilingualCLIP, MultilingualCLIPConfig
from kandinsky_backend.weights import Weights
from tests.golden import configs, text_and_prior_inputs
from tests.golden.compare import assert_close
from tests.golden.keys import key_digest
from tests.golden.text_and_prior import GOLDEN
from tests.refusals import refused
from tests.weights_from_names import NoSource, RandomWeights, RecordedShapes


def build(architecture: str, dtype: ms.Type = ms.float32) -> MultilingualCLIP:
    config = MultilingualCLIPConfig.from_dict(configs.MULTILINGUAL_CLIP[architecture])
    return MultilingualCLIP(config, RandomWeights(dtype=dtype))


def prompts(architecture: str) -> tuple[np.ndarray, np.ndarray]:
    return text_and_prior_inputs.multilingual_ids(configs.MULTILINGUAL_CLIP[architecture])


@pytest.mark.parametrize("architecture", ["a", "b"])
def test_padded_prompts_match_diffusers(architecture: str) -> None:
    ids, mask = prompts(architecture)
    embeds, states = build(architecture)(Tensor(ids), Tensor(mask))
    for output, ours in (("text_embeds", embeds), ("last_hidden_state", states)):
        key = f"multilingual_clip/{architecture}/{output}"
        assert_close(key, ours.asnumpy(), GOLDEN[key], limit=1e-4)


def test_it_computes_in_the_precision_of_its_weights() -> None:
    ids, mask = prompts("a")
    embeds, states = build("a", ms.float16)(Tensor(ids), Tensor(mask))
    assert embeds.dtype == states.dtype == ms.float16
    assert np.abs(embeds.asnumpy() - GOLDEN["multilingual_clip/a/text_embeds"]).max() < 0.05


def test_padding_does_not_change_an_embedding() -> None:
    model = build("a")
    ids, mask = prompts("a")
    padded, _ = model(Tensor(ids[:1]), Tensor(mask[:1]))
    bare, _ = model(Tensor(ids[:1, :6]), Tensor(mask[:1, :6]))
    np.testing.assert_allclose(padded.asnumpy(), bare.asnumpy(), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.float32])
def test_a_mask_may_have_any_dtype(dtype: type[np.generic]) -> None:
    ids, mask = prompts("b")
    embeds, _ = build("b")(Tensor(ids), Tensor(mask.astype(dtype)))
    np.testing.assert_allclose(embeds.asnumpy(), GOLDEN["multilingual_clip/b/text_embeds"], atol=1e-4)


def test_positions_count_tokens_and_not_padding() -> None:
    ids = Tensor(np.array([[0, 9, 8, 1, 1], [1, 1, 0, 9, 2]], np.int32))
    assert xlm_roberta.position_ids(ids, 1).asnumpy().tolist() == [[2, 3, 4, 1, 1], [1, 1, 2, 3, 4]]


def test_a_token_outside_the_vocabulary_is_refused() -> None:
    ids, mask = prompts("a")
    ids[1, 1] = 97
    with pytest.raises(ValueError, match=r"token id 97 .* vocabulary of 97"):
        build("a")(Tensor(ids), Tensor(mask))


def test_too_many_tokens_are_refused() -> None:
    ids = np.zeros((1, 23), np.int32)
    with pytest.raises(ValueError, match=r"23 tokens .* takes 22"):
        build("a")(Tensor(ids), Tensor(np.ones_like(ids)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "gelu_new"}, "'hidden_act': 'gelu_new'"),
        ({"position_embedding_type": "relative_key"}, "'position_embedding_type': 'relative_key'"),
        ({"is_decoder": True}, "'is_decoder': True"),
        ({"transformerDimensions": 640}, "'transformerDimensions': 640"),
        ({"num_attention_heads": 7}, "hidden_size 1024 .* num_attention_heads 7"),
        ({"pad_token_id": None}, "'pad_token_id': None"),
        ({"pad_token_id": 513}, "max_position_embeddings 514 .* pad_token_id 513"),
        ({"layer_norm_eps": "1e-5"}, "'layer_norm_eps': '1e-5'"),
        ({"numDims": None}, "'numDims': None"),
    ],
)
def test_a_config_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MultilingualCLIPConfig.from_dict(configs.MULTILINGUAL_CLIP["published"] | changes)


def test_the_published_architecture_takes_the_published_keys() -> None:
    weights = RecordedShapes()
    model = MultilingualCLIP(MultilingualCLIPConfig.from_dict(configs.MULTILINGUAL_CLIP["published"]), weights)
    assert key_digest(weights.shapes) == GOLDEN["multilingual_clip/published_keys"]
    assert {name for name, _ in model.parameters_and_names()} == set(weights.shapes)
    assert not xlm_roberta.IGNORED_KEYS & set(weights.shapes)


def test_a_misshapen_tensor_is_refused_by_its_key() -> None:
    source = NoSource()
    source.shapes = {"transformer.embeddings.word_embeddings.weight": (96, 32)}
    with refused(WeightsError, "misshapen", found=[96, 32], shape=[97, 32]):
        MultilingualCLIP(MultilingualCLIPConfig.from_dict(configs.MULTILINGUAL_CLIP["a"]), Weights(source, ms.float32))
