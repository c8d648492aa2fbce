"""CLIP's text and image encoders, each with its projection into the shared space.

Radford et al., 2021, arXiv:2103.00020. Laid out as transformers' modeling_clip.py, whose checkpoints these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from kandinsky_backend import ops
from kandinsky_backend.models.config import check_supported, epsilon, size, token_id
from kandinsky_backend.models.layers import (
    Embedding,
    LayerNorm,
    Linear,
    causal_mask,
    check_token_ids,
    multi_head_attention,
)
from kandinsky_backend.weights import Weights

# Buffers that older checkpoints hold and that follow from the sizes.
IGNORED_KEYS: frozenset[str] = frozenset({"text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"})

# Configs written before transformers' pull request 24773 hold this id whatever the vocabulary's end-of-text id is; the
# models that they belong to end a text with their highest id.
_LEGACY_EOS_TOKEN_ID = 2


@dataclass(frozen=True)
class EncoderConfig:
    """The sizes that the text and the image encoder have in common."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    projection_dim: int
    layer_norm_eps: float

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"CLIP's hidden_size {self.hidden_size} does not divide into num_attention_heads "
                f"{self.num_attention_heads}"
            )


@dataclass(frozen=True)
class CLIPTextConfig(EncoderConfig):
    """The text encoder's architecture."""

    vocab_size: int
    max_position_embeddings: int
    eos_token_id: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eos_token_id >= self.vocab_size:
            raise ValueError(f"CLIP's eos_token_id {self.eos_token_id} is outside its vocab_size {self.vocab_size}")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> CLIPTextConfig:
        """Read a text_encoder/config.json.

        Raises:
            ValueError: a size is missing, or a value is not implemented; the message names the key.
        """
        return cls(
            **_read_encoder(config),
            vocab_size=size(config, "vocab_size"),
            max_position_embeddings=size(config, "max_position_embeddings"),
            eos_token_id=token_id(config, "eos_token_id", default=49407),
        )


@dataclass(frozen=True)
class CLIPVisionConfig(EncoderConfig):
    """The image encoder's architecture."""

    image_size: int
    patch_size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size < self.patch_size:
            raise ValueError(f"CLIP's image_size {self.image_size} is below its patch_size {self.patch_size}")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> CLIPVisionConfig:
        """Read an image_encoder/config.json.

        Raises:
            ValueError: a size is missing, or a value is not implemented; the message names the key.
        """
        check_supported(config, {"num_channels": (3,)})
        return cls(
            **_read_encoder(config), image_size=size(config, "image_size"), patch_size=size(config, "patch_size")
        )

    @property
    def grid(self) -> int:
        """Patches along one side of the picture."""
        return self.image_size // self.patch_size


def _read_encoder(config: Mapping[str, Any]) -> dict[str, Any]:
    check_supported(config, {"hidden_act": ("quick_gelu",)})
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "projection_dim")
    return {key: size(config, key) for key in sizes} | {
        "layer_norm_eps": epsilon(config, "layer_norm_eps", default=1e-5)
    }


class CLIPTextModelWithProjection(nn.Cell):
    """Token ids to text embeddings in CLIP's shared space."""

    def __init__(self, config: CLIPTextConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        self.text_model = TextTransformer(config, weights.child("text_model"))
        self.text_projection = Linear(
            config.hidden_size, config.projection_dim, weights.child("text_projection"), bias=False
        )

    def construct(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Encode prompts.

        Args:
            input_ids: int32 (B, T), T at most max_position_embeddings; each row holds the end-of-text id.

        Returns:
            text_embeds (B, projection_dim), from the state at the first end-of-text token; and the last hidden state
            (B, T, hidden_size), after the final norm.

        Raises:
            ValueError: there are more tokens than positions, an id is outside the vocabulary, or a row has no end.
        """
        batch, tokens = input_ids.shape
        ids = input_ids.asnumpy()
        check_token_ids(ids, self.config.vocab_size)
        ends = first_end_of_text(ids, self.config.eos_token_id)
        return self.encode(input_ids, Tensor.from_numpy((ends + tokens * np.arange(batch)).astype(np.int32)))

    @ops.planned
    def encode(self, input_ids: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """`construct` with the rows (B,) of all tokens (B * T) whose states are projected."""
        last_hidden_state = self.text_model(input_ids)
        pooled = ops.take_rows(last_hidden_state.reshape(-1, last_hidden_state.shape[-1]), rows)
        return self.text_projection(pooled), last_hidden_state


def first_end_of_text(input_ids: npt.NDArray[np.integer[Any]], eos_token_id: int) -> npt.NDArray[np.intp]:
    """The position (B,) of the first end-of-text token in each row of input_ids (B, T).

    Raises:
        ValueError: a row has none.
    """
    if eos_token_id == _LEGACY_EOS_TOKEN_ID:
        return np.argmax(input_ids, axis=-1)
    is_end = input_ids == eos_token_id
    if not is_end.any(axis=-1).all():
        raise ValueError(f"a prompt has no end-of-text token, {eos_token_id}: the tokenizer belongs to another model")
    return np.argmax(is_end, axis=-1)


class TextTransformer(nn.Cell):
    """Token ids (B, T) to the last hidden state (B, T, hidden_size)."""

    def __init__(self, config: CLIPTextConfig, weights: Weights) -> None:
        super().__init__()
        self.embeddings = TextEmbeddings(config, weights.child("embeddings"))
        self.encoder = Encoder(config, weights.child("encoder"))
        self.final_layer_norm = LayerNorm(config.hidden_size, weights.child("final_layer_norm"), config.layer_norm_eps)

    def construct(self, input_ids: Tensor) -> Tensor:
        x = self.embeddings(input_ids)
        return self.final_layer_norm(self.encoder(x, causal_mask(x.shape[1], x.dtype)))


class TextEmbeddings(nn.Cell):
    """The sum of what each token is and where it stands."""

    def __init__(self, config: CLIPTextConfig, weights: Weights) -> None:
        super().__init__()
        self.positions = config.max_position_embeddings
        self.token_embedding = Embedding(config.vocab_size, config.hidden_size, weights.child("token_embedding"))
        self.position_embedding = Embedding(self.positions, config.hidden_size, weights.child("position_embedding"))

    def construct(self, input_ids: Tensor) -> Tensor:
        tokens = input_ids.shape[1]
        if tokens > self.positions:
            raise ValueError(f"{tokens} tokens were given to CLIP's text encoder, which has {self.positions} positions")
        return self.token_embedding(input_ids) + self.position_embedding.weight[:tokens]


class CLIPVisionModelWithProjection(nn.Cell):
    """Preprocessed pixels to image embeddings in CLIP's shared space."""

    def __init__(self, config: CLIPVisionConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        self.vision_model = VisionTransformer(config, weights.child("vision_model"))
        self.visual_projection = Linear(
            config.hidden_size, config.projection_dim, weights.child("visual_projection"), bias=False
        )

    @ops.planned
    def construct(self, pixel_values: Tensor) -> Tensor:
        """Encode pictures.

        Args:
            pixel_values: (B, 3, image_size, image_size) of any precision, normalised by CLIP's mean and deviation.

        Returns:
            image_embeds (B, projection_dim).

        Raises:
            ValueError: the pixels have another shape.
        """
        return self.visual_projection(self.vision_model(pixel_values))


class VisionTransformer(nn.Cell):
    """Pixels to the state of the class token (B, hidden_size)."""

    def __init__(self, config: CLIPVisionConfig, weights: Weights) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.embeddings = VisionEmbeddings(config, weights.child("embeddings"))
        self.pre_layrnorm = LayerNorm(width, weights.child("pre_layrnorm"), eps)  # the checkpoints spell it so
        self.encoder = Encoder(config, weights.child("encoder"))
        self.post_layernorm = LayerNorm(width, weights.child("post_layernorm"), eps)

    def construct(self, pixel_values: Tensor) -> Tensor:
        x = self.encoder(self.pre_layrnorm(self.embeddings(pixel_values)))
        return self.post_layernorm(x[:, 0])


class VisionEmbeddings(nn.Cell):
    """A class token, then a token for each patch of the picture, row by row."""

    def __init__(self, config: CLIPVisionConfig, weights: Weights) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.class_embedding = weights.take("class_embedding", (config.hidden_size,))
        self.patch_embedding = PatchEmbedding(config, weights.child("patch_embedding"))
        self.position_embedding = Embedding(config.grid**2 + 1, config.hidden_size, weights.child("position_embedding"))

    def construct(self, pixel_values: Tensor) -> Tensor:
        if pixel_values.shape[1:] != (3, self.image_size, self.image_size):
            raise ValueError(
                f"CLIP's image encoder takes pixels (B, 3, {self.image_size}, {self.image_size}), not "
                f"{tuple(pixel_values.shape)}"
            )
        patches = self.patch_embedding(pixel_values)
        batch, _, width = patches.shape
        class_tokens = ops.broadcast_to(self.class_embedding, (batch, 1, width))
        return ops.concat([class_tokens, patches], axis=1) + self.position_embedding.weight


class PatchEmbedding(nn.Cell):
    """Pixels (B, 3, S, S) to patches (B, grid * grid, hidden_size): a convolution whose windows do not overlap.

    It is computed as a product of matrices. Pixels right of and below the last whole patch are left out.
    """

    def __init__(self, config: CLIPVisionConfig, weights: Weights) -> None:
        super().__init__()
        self.grid, self.patch = config.grid, config.patch_size
        self.weight = weights.take("weight", (config.hidden_size, 3, self.patch, self.patch))

    def construct(self, pixel_values: Tensor) -> Tensor:
        grid, patch = self.grid, self.patch
        whole = pixel_values.astype(self.weight.dtype)[:, :, : grid * patch, : grid * patch]
        windows = whole.reshape(-1, 3, grid, patch, grid, patch).transpose(0, 2, 4, 1, 3, 5)
        return ops.linear(
            windows.reshape(-1, grid * grid, 3 * patch * patch), self.weight.reshape(self.weight.shape[0], -1)
        )


class Encoder(nn.Cell):
    """(B, T, hidden_size) -> the same, through every layer."""

    def __init__(self, config: EncoderConfig, weights: Weights) -> None:
        super().__init__()
        self.layers = nn.CellList(
            [EncoderLayer(config, weights.child(f"layers.{i}")) for i in range(config.num_hidden_layers)]
        )

    def construct(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask)
        return x


class EncoderLayer(nn.Cell):
    """Norm, attention, norm, MLP, each pair beside a skip."""

    def __init__(self, config: EncoderConfig, weights: Weights) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.self_attn = Attention(config, weights.child("self_attn"))
        self.layer_norm1 = LayerNorm(width, weights.child("layer_norm1"), eps)
        self.mlp = MLP(config, weights.child("mlp"))
        self.layer_norm2 = LayerNorm(width, weights.child("layer_norm2"), eps)

    def construct(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x), mask)
        return x + self.mlp(self.layer_norm2(x))


class Attention(nn.Cell):
    def __init__(self, config: EncoderConfig, weights: Weights) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.q_proj = Linear(width, width, weights.child("q_proj"))
        self.k_proj = Linear(width, width, weights.child("k_proj"))
        self.v_proj = Linear(width, width, weights.child("v_proj"))
        self.out_proj = Linear(width, width, weights.child("out_proj"))

    def construct(self, x: Tensor, mask: Tensor | None) -> Tensor:
        return self.out_proj(multi_head_attention(self.q_proj(x), self.k_proj(x), self.v_proj(x), self.heads, mask))


class MLP(nn.Cell):
    def __init__(self, config: EncoderConfig, weights: Weights) -> None:
        super().__init__()
        self.fc1 = Linear(config.hidden_size, config.intermediate_size, weights.child("fc1"))
        self.fc2 = Linear(config.intermediate_size, config.hidden_size, weights.child("fc2"))

    def construct(self, x: Tensor) -> Tensor:
        return self.fc2(ops.quick_gelu(self.fc1(x)))
