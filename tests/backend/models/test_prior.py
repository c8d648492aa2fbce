"""The prior agrees with diffusers, and refuses what it does not implement."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from kandinsky_backend.errors import WeightsError
from kandinsky_backend.images import ClipImageProcessor
from kandinsky_backend.models.prior import PriorTransformer, PriorTransformerConfig, TextPrefix
from kandinsky_backend.pipelines import KandinskyPriorPipeline
from kandinsky_backend.pipelines.base import Part
from kandinsky_backend.residency import Residency
from kandinsky_backend.sampling import TextConditioning
from kandinsky_backend.schedulers import UnCLIPScheduler
from kandinsky_backend.weights import Weights
from tests.golden import configs, text_and_prior_inputs
from tests.golden.compare import assert_close
from tests.golden.keys import key_digest
from tests.golden.text_and_prior import GOLDEN
from tests.refusals import refused
from tests.weights_from_names import NoSource, RandomWeights, RecordedShapes


def build(architecture: str, dtype: ms.Type = ms.float32) -> PriorTransformer:
    return PriorTransformer(PriorTransformerConfig.from_dict(configs.PRIOR[architecture]), RandomWeights(dtype=dtype))


def inputs(architecture: str) -> dict[str, np.ndarray]:
    return text_and_prior_inputs.prior_inputs(configs.PRIOR[architecture])


def encode(model: PriorTransformer, arrays: dict[str, np.ndarray]) -> TextPrefix:
    return model.encode_text(
        Tensor(arrays["text_embeds"]), Tensor(arrays["text_hidden_states"]), Tensor(arrays["attention_mask"])
    )


def predict(model: PriorTransformer, timestep: int, arrays: dict[str, np.ndarray]) -> np.ndarray:
    return model(Tensor(arrays["latents"]), timestep, encode(model, arrays)).asnumpy()


@pytest.mark.parametrize("architecture", ["a", "b"])
def test_predictions_match_diffusers(architecture: str) -> None:
    model, arrays = build(architecture), inputs(architecture)
    for timestep in text_and_prior_inputs.PRIOR_TIMESTEPS:
        key = f"prior/{architecture}/predicted_{timestep}"
        assert_close(key, predict(model, timestep, arrays), GOLDEN[key], limit=1e-4)


@pytest.mark.parametrize("architecture", ["a", "b"])
def test_one_prefix_serves_every_step(architecture: str) -> None:
    model, arrays = build(architecture), inputs(architecture)
    prefix = encode(model, arrays)
    for timestep in (999, 500, 0, 999):
        again = model(Tensor(arrays["latents"]), timestep, prefix).asnumpy()
        np.testing.assert_allclose(again, predict(model, timestep, arrays), atol=1e-6)


class CountingPrior(PriorTransformer):
    encoded = 0

    def encode_text(self, text_embeds: Tensor, text_hidden_states: Tensor, attention_mask: Tensor) -> TextPrefix:
        self.encoded += 1
        return super().encode_text(text_embeds, text_hidden_states, attention_mask)


def test_a_run_encodes_its_text_once_and_not_before_it_starts() -> None:
    model = CountingPrior(PriorTransformerConfig.from_dict(configs.PRIOR["a"]), RandomWeights())
    unused = Part(None, Residency().add("unused", 0, nn.Cell))
    pictures = ClipImageProcessor(28, 28, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), rescale_factor=1 / 255)
    pipeline = KandinskyPriorPipeline(model, unused, unused, None, UnCLIPScheduler(), pictures)
    arrays = inputs("a")
    conditioning = TextConditioning(arrays["text_embeds"], arrays["text_hidden_states"], arrays["attention_mask"])
    generator = np.random.default_rng(0)
    steps = pipeline.denoise(
        conditioning, arrays["latents"][:1], generator=generator, num_inference_steps=4, guidance_scale=4.0
    )
    assert model.encoded == 0
    assert [(step.index, model.encoded) for step in steps] == [(0, 1), (1, 1), (2, 1), (3, 1)]


@pytest.mark.parametrize("architecture", ["a", "b"])
def test_post_processing_matches_diffusers(architecture: str) -> None:
    key = f"prior/{architecture}/post_processed"
    ours = build(architecture).post_process_latents(Tensor(inputs(architecture)["latents"]))
    assert_close(key, ours.asnumpy(), GOLDEN[key], limit=1e-6)


def test_float32_inputs_are_computed_in_the_precision_of_the_weights() -> None:
    predicted = predict(build("a", ms.float16), 500, inputs("a"))
    assert predicted.dtype == np.float16
    assert np.abs(predicted - GOLDEN["prior/a/predicted_500"]).max() < 0.05


def test_padding_has_no_effect() -> None:
    model, arrays = build("a"), inputs("a")
    before = predict(model, 500, arrays)
    arrays["text_hidden_states"][0, 6:] = 7.0
    np.testing.assert_allclose(predict(model, 500, arrays)[0], before[0], atol=1e-5)
    arrays["text_hidden_states"][0, 5] = 7.0
    assert np.abs(predict(model, 500, arrays)[0] - before[0]).max() > 0.01


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.float32])
def test_a_mask_may_have_any_dtype(dtype: type[np.generic]) -> None:
    arrays = inputs("b")
    arrays["attention_mask"] = arrays["attention_mask"].astype(dtype)
    np.testing.assert_allclose(predict(build("b"), 0, arrays), GOLDEN["prior/b/predicted_0"], atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"additional_embeddings": 3}, "'additional_embeddings': 3"),
        ({"time_embed_act_fn": "gelu"}, "'time_embed_act_fn': 'gelu'"),
        ({"norm_in_type": "layer"}, "'norm_in_type': 'layer'"),
        ({"embedding_proj_norm_type": "layer"}, "'embedding_proj_norm_type': 'layer'"),
        ({"encoder_hid_proj_type": None}, "'encoder_hid_proj_type': None"),
        ({"added_emb_type": None}, "'added_emb_type': None"),
        ({"time_embed_dim": 512}, "'time_embed_dim': 512"),
        ({"embedding_proj_dim": 1024}, "'embedding_proj_dim': 1024"),
        ({"clip_embed_dim": 1280}, "'clip_embed_dim': 1280"),
        ({"num_layers": None}, "'num_layers': None"),
        ({"num_attention_heads": 3, "attention_head_dim": 5}, "even .* 3 num_attention_heads .* 5 attention_head_dim"),
    ],
)
def test_a_config_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PriorTransformerConfig.from_dict(configs.PRIOR["published"] | changes)


def test_the_published_architecture_takes_the_published_keys() -> None:
    weights = RecordedShapes()
    model = PriorTransformer(PriorTransformerConfig.from_dict(configs.PRIOR["published"]), weights)
    assert key_digest(weights.shapes) == GOLDEN["prior/published_keys"]
    assert {name for name, _ in model.parameters_and_names()} == set(weights.shapes)


def test_a_misshapen_tensor_is_refused_by_its_key() -> None:
    source = NoSource()
    source.shapes = {"time_embedding.linear_1.weight": (32, 31)}
    with refused(WeightsError, "misshapen", key=lambda key: key.endswith("linear_1.weight"), found=[32, 31]):
        PriorTransformer(PriorTransformerConfig.from_dict(configs.PRIOR["a"]), Weights(source, ms.float32))
