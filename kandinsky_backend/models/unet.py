"""The UNet of the decoder: predicts the noise in latents, conditioned on a text and an image embedding.

Diffusion UNet of Dhariwal and Nichol, 2021, arXiv:2105.05233, in the form that Kandinsky 2.1 uses: time, text and image
embeddings scale and shift the norms of every residual block, and self-attention sees text and image tokens as further
keys and values. Layout and key names: diffusers, unet_2d_condition.py, unet_2d_blocks.py (the Resnet- and
SimpleCrossAttn- blocks), resnet.py, and AttnAddedKVProcessor in attention_processor.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from mindspore import Tensor, nn

from kandinsky_backend import ops
from kandinsky_backend.models.config import attention_levels, check_supported, epsilon, size, sizes
from kandinsky_backend.models.layers import (
    Conv2d,
    GroupNorm,
    LayerNorm,
    Linear,
    TimestepEmbedding,
    merge_heads,
    split_heads,
    timestep_sinusoid,
)
from kandinsky_backend.weights import Weights

T = TypeVar("T", bound=nn.Cell)

# The image embedding stands in front of the text as this many tokens. It is no key of config.json.
IMAGE_TOKENS = 10

# The attention's own group norm keeps this epsilon whatever the config's norm_eps is.
_ATTENTION_NORM_EPS = 1e-5

_DOWN_ATTENDS = {"ResnetDownsampleBlock2D": False, "SimpleCrossAttnDownBlock2D": True}
_UP_ATTENDS = {"ResnetUpsampleBlock2D": False, "SimpleCrossAttnUpBlock2D": True}

# What an option that config.json leaves out stands for, where this model does not implement the default.
_LIBRARY_DEFAULTS: dict[str, Any] = {
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "resnet_time_scale_shift": "default",
    "encoder_hid_dim_type": None,
    "addition_embed_type": None,
}

_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu",),
    "addition_embed_type": ("text_image",),
    "attention_type": ("default",),
    "center_input_sample": (False,),
    "class_embed_type": (None,),
    "class_embeddings_concat": (False,),
    "conv_in_kernel": (3,),
    "conv_out_kernel": (3,),
    "cross_attention_norm": (None,),
    "dual_cross_attention": (False,),
    "encoder_hid_dim_type": ("text_image_proj",),
    "flip_sin_to_cos": (True,),
    "freq_shift": (0,),
    "mid_block_only_cross_attention": (None, False),
    "mid_block_scale_factor": (1,),
    "mid_block_type": ("UNetMidBlock2DSimpleCrossAttn",),
    "num_attention_heads": (None,),
    "num_class_embeds": (None,),
    "only_cross_attention": (False,),
    "resnet_out_scale_factor": (1,),
    "resnet_skip_time_act": (False,),
    "resnet_time_scale_shift": ("scale_shift",),
    "time_cond_proj_dim": (None,),
    "time_embedding_act_fn": (None,),
    "time_embedding_dim": (None,),
    "time_embedding_type": ("positional",),
    "timestep_post_act": (None,),
    "upcast_attention": (False,),
}


@dataclass(frozen=True)
class UNetConfig:
    """The sizes of a UNet. Levels run from the full resolution down; `up_attention` runs from the lowest one up."""

    in_channels: int  # 4, or 9 for inpainting: latents, latents of the masked picture, mask
    out_channels: int  # predicted noise, and variance where the scheduler learned it
    block_out_channels: tuple[int, ...]  # one a level
    layers_per_block: int
    attention_head_dim: int
    cross_attention_dim: int  # width of the text embedding, the image embedding and the tokens
    encoder_hid_dim: int  # width of the text encoder's hidden states
    norm_num_groups: int
    norm_eps: float
    down_attention: tuple[bool, ...]
    up_attention: tuple[bool, ...]

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> UNetConfig:
        """Read a published config.json.

        Raises:
            ValueError: a size is missing or none, or a value is not implemented; the message names the key.
        """
        config = {**_LIBRARY_DEFAULTS, **config}
        check_supported(config, _SUPPORTED)
        block_out_channels = sizes(config, "block_out_channels")
        levels = len(block_out_channels)
        return cls(
            in_channels=size(config, "in_channels"),
            out_channels=size(config, "out_channels"),
            block_out_channels=block_out_channels,
            layers_per_block=size(config, "layers_per_block"),
            attention_head_dim=size(config, "attention_head_dim"),
            cross_attention_dim=size(config, "cross_attention_dim"),
            encoder_hid_dim=size(config, "encoder_hid_dim"),
            norm_num_groups=size(config, "norm_num_groups"),
            norm_eps=epsilon(config, "norm_eps", 1e-5),
            down_attention=attention_levels(config, "down_block_types", _DOWN_ATTENDS, levels),
            up_attention=attention_levels(config, "up_block_types", _UP_ATTENDS, levels),
        )

    @property
    def embedding_width(self) -> int:
        """Width of the sum of time, text and image embedding (`temb`), which sets the scale and shift of norms."""
        return 4 * self.block_out_channels[0]

    @property
    def size_multiple(self) -> int:
        """A divisor of a sample's height and width: each level but the last halves them."""
        return 2 ** (len(self.block_out_channels) - 1)


def _same_size(x: Tensor) -> Tensor:
    return x


class KeysAndValues(NamedTuple):
    """Keys and values besides those of the pixels, each (B, heads, T, head_dim)."""

    keys: Tensor
    values: Tensor


class Conditioning(NamedTuple):
    """What a run tells the UNet at each step, made once by `UNet2DConditionModel.condition`.

    What depends on the timestep too is computed in its step, for which 9% of the weights are read: so a run of any
    length begins at once. It holds no weights, so that it outlives a UNet that is dropped from memory.
    """

    text_embeds: Tensor  # (B, cross_attention_dim)
    image_embeds: Tensor  # (B, cross_attention_dim)
    tokens: list[tuple[KeysAndValues, KeysAndValues]]  # image and text for each AddedKVAttention, as they are used


class ResnetBlock2D(nn.Cell):
    """Residual block on (B, in_channels, H, W) whose second norm is scaled and shifted by projections of `temb`.

    `temb` is the embedding of time, text and image; `resample` changes H and W inside the block.
    """

    def __init__(
        self,
        config: UNetConfig,
        weights: Weights,
        in_channels: int,
        out_channels: int,
        resample: Callable[[Tensor], Tensor] = _same_size,
    ) -> None:
        super().__init__()
        groups, eps = config.norm_num_groups, config.norm_eps
        self.norm1 = GroupNorm(groups, in_channels, eps, weights.child("norm1"))
        self.conv1 = Conv2d(in_channels, out_channels, 3, weights.child("conv1"))
        self.time_emb_proj = Linear(config.embedding_width, 2 * out_channels, weights.child("time_emb_proj"))
        self.norm2 = GroupNorm(groups, out_channels, eps, weights.child("norm2"))
        self.conv2 = Conv2d(out_channels, out_channels, 3, weights.child("conv2"))
        self.conv_shortcut = (
            None
            if in_channels == out_channels
            else Conv2d(in_channels, out_channels, 1, weights.child("conv_shortcut"))
        )
        self.resample = resample

    def construct(self, x: Tensor, temb: Tensor) -> Tensor:
        hidden = self.conv1(self.resample(ops.silu(self.norm1(x))))
        weight, bias = self._affine(temb)
        hidden = ops.group_norm_each(hidden, self.norm2.groups, weight, bias, self.norm2.eps)
        hidden = self.conv2(ops.silu(hidden))
        x = self.resample(x)
        return hidden + (x if self.conv_shortcut is None else self.conv_shortcut(x))

    def _affine(self, temb: Tensor) -> tuple[Tensor, Tensor]:
        """Weights and biases (B, channels) of the second norm for `temb` (B, embedding_width).

        norm(x) * (1 + scale) + shift is a norm of another weight and bias, which needs no pass over x of its own.
        """
        scale, shift = ops.split(self.time_emb_proj(temb), 2, axis=1)
        factor = scale + 1.0
        return factor * self.norm2.weight, factor * self.norm2.bias + shift


class AddedKVAttention(nn.Cell):
    """Self-attention of a map's pixels, with projections of tokens as further keys and values."""

    def __init__(self, config: UNetConfig, weights: Weights, channels: int) -> None:
        super().__init__()
        if channels % config.attention_head_dim:
            raise ValueError(f"{channels} channels cannot be split into attention heads of {config.attention_head_dim}")
        self.heads = channels // config.attention_head_dim
        self.group_norm = GroupNorm(config.norm_num_groups, channels, _ATTENTION_NORM_EPS, weights.child("group_norm"))
        self.to_q = Linear(channels, channels, weights.child("to_q"))
        self.to_k = Linear(channels, channels, weights.child("to_k"))
        self.to_v = Linear(channels, channels, weights.child("to_v"))
        self.add_k_proj = Linear(config.cross_attention_dim, channels, weights.child("add_k_proj"))
        self.add_v_proj = Linear(config.cross_attention_dim, channels, weights.child("add_v_proj"))
        self.to_out = nn.CellList([Linear(channels, channels, weights.child("to_out.0"))])

    def keys_and_values(self, tokens: Tensor) -> KeysAndValues:
        """Keys and values of the tokens (B, T, width)."""
        return KeysAndValues(
            split_heads(self.add_k_proj(tokens), self.heads), split_heads(self.add_v_proj(tokens), self.heads)
        )

    def construct(self, x: Tensor, tokens: Sequence[KeysAndValues]) -> Tensor:
        pixels = ops.map_to_tokens(self.group_norm(x))
        query, key, value = (split_heads(to(pixels), self.heads) for to in (self.to_q, self.to_k, self.to_v))
        key = ops.concat([*(part.keys for part in tokens), key], axis=2)
        value = ops.concat([*(part.values for part in tokens), value], axis=2)
        mixed = merge_heads(ops.attention(query, key, value))
        return x + ops.tokens_to_map(self.to_out[0](mixed), x.shape[2], x.shape[3])


def _attentions(config: UNetConfig, weights: Weights, channels: int, count: int) -> nn.CellList:
    return nn.CellList([AddedKVAttention(config, weights.child(f"attentions.{i}"), channels) for i in range(count)])


class DownBlock(nn.Cell):
    """A level of the down path: residual blocks, each followed by attention on some levels, and a downsampling one.

    ResnetDownsampleBlock2D without, SimpleCrossAttnDownBlock2D with attention.
    """

    def __init__(self, config: UNetConfig, weights: Weights, level: int) -> None:
        super().__init__()
        channels = config.block_out_channels[level]
        layers = config.layers_per_block
        widths = [config.block_out_channels[max(level - 1, 0)]] + [channels] * (layers - 1)
        self.resnets = nn.CellList(
            [ResnetBlock2D(config, weights.child(f"resnets.{i}"), width, channels) for i, width in enumerate(widths)]
        )
        self.attentions = _attentions(config, weights, channels, layers if config.down_attention[level] else 0)
        is_last = level == len(config.block_out_channels) - 1
        self.downsamplers = nn.CellList(
            []
            if is_last
            else [ResnetBlock2D(config, weights.child("downsamplers.0"), channels, channels, ops.downsample_mean)]
        )

    def construct(self, x: Tensor, temb: Tensor, tokens: Iterator[Sequence[KeysAndValues]]) -> list[Tensor]:
        """The output of every layer, for the up path; the last one goes on down."""
        outputs = []
        for i, resnet in enumerate(self.resnets):
            x = resnet(x, temb)
            if len(self.attentions):
                x = self.attentions[i](x, next(tokens))
            outputs.append(x)
        for downsampler in self.downsamplers:
            outputs.append(downsampler(outputs[-1], temb))
        return outputs


class MidBlock(nn.Cell):
    """UNetMidBlock2DSimpleCrossAttn: residual block, attention, residual block, at the lowest resolution."""

    def __init__(self, config: UNetConfig, weights: Weights) -> None:
        super().__init__()
        channels = config.block_out_channels[-1]
        self.resnets = nn.CellList(
            [ResnetBlock2D(config, weights.child(f"resnets.{i}"), channels, channels) for i in range(2)]
        )
        self.attentions = _attentions(config, weights, channels, 1)

    def construct(self, x: Tensor, temb: Tensor, tokens: Iterator[Sequence[KeysAndValues]]) -> Tensor:
        x = self.attentions[0](self.resnets[0](x, temb), next(tokens))
        return self.resnets[1](x, temb)


class UpBlock(nn.Cell):
    """A level of the up path: as the down path's, with one layer more, each taking an output of the down path too.

    ResnetUpsampleBlock2D without, SimpleCrossAttnUpBlock2D with attention. `level` counts from the lowest resolution;
    `skip_widths` are the channels of the down path's outputs in the order in which the layers take them.
    """

    def __init__(self, config: UNetConfig, weights: Weights, level: int, skip_widths: list[int]) -> None:
        super().__init__()
        channels = config.block_out_channels[-1 - level]
        below = config.block_out_channels[min(-level, -1)]
        widths = [below] + [channels] * (len(skip_widths) - 1)
        self.resnets = nn.CellList(
            [
                ResnetBlock2D(config, weights.child(f"resnets.{i}"), width + skip_width, channels)
                for i, (width, skip_width) in enumerate(zip(widths, skip_widths, strict=True))
            ]
        )
        self.attentions = _attentions(config, weights, channels, len(skip_widths) if config.up_attention[level] else 0)
        is_last = level == len(config.block_out_channels) - 1
        self.upsamplers = nn.CellList(
            []
            if is_last
            else [ResnetBlock2D(config, weights.child("upsamplers.0"), channels, channels, ops.upsample_nearest)]
        )

    def construct(
        self, x: Tensor, skips: list[Tensor], temb: Tensor, tokens: Iterator[Sequence[KeysAndValues]]
    ) -> Tensor:
        """Takes what it needs off the end of `skips`, so that their memory is free as soon as they are used."""
        for i, resnet in enumerate(self.resnets):
            x = resnet(ops.concat([x, skips.pop()], axis=1), temb)
            if len(self.attentions):
                x = self.attentions[i](x, next(tokens))
        for upsampler in self.upsamplers:
            x = upsampler(x, temb)
        return x


class TextImageProjection(nn.Cell):
    """Tokens of hidden states of texts and of image embeddings, which the attentions see one after the other."""

    def __init__(self, config: UNetConfig, weights: Weights) -> None:
        super().__init__()
        width = config.cross_attention_dim
        self.image_embeds = Linear(width, IMAGE_TOKENS * width, weights.child("image_embeds"))
        self.text_proj = Linear(config.encoder_hid_dim, width, weights.child("text_proj"))

    def text_tokens(self, encoder_hidden_states: Tensor) -> Tensor:
        """(B, T, encoder_hid_dim) -> (B, T, width)."""
        return self.text_proj(encoder_hidden_states)

    def image_tokens(self, image_embeds: Tensor) -> Tensor:
        """(B, width) -> (B, IMAGE_TOKENS, width)."""
        return self.image_embeds(image_embeds).reshape(image_embeds.shape[0], IMAGE_TOKENS, -1)


class TextImageTimeEmbedding(nn.Cell):
    """Text and image embeddings (B, width) -> what is added to the time's embedding, (B, embedding_width)."""

    def __init__(self, config: UNetConfig, weights: Weights) -> None:
        super().__init__()
        self.text_proj = Linear(config.cross_attention_dim, config.embedding_width, weights.child("text_proj"))
        self.text_norm = LayerNorm(config.embedding_width, weights.child("text_norm"))
        self.image_proj = Linear(config.cross_attention_dim, config.embedding_width, weights.child("image_proj"))

    def construct(self, text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        return self.image_proj(image_embeds) + self.text_norm(self.text_proj(text_embeds))


class UNet2DConditionModel(nn.Cell):
    """Predicts a denoising step: `condition` once for a run, then `construct` at each step."""

    def __init__(self, config: UNetConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        channels = config.block_out_channels
        levels = range(len(channels))
        self.conv_in = Conv2d(config.in_channels, channels[0], 3, weights.child("conv_in"))
        self.time_embedding = TimestepEmbedding(channels[0], config.embedding_width, weights.child("time_embedding"))
        self.add_embedding = TextImageTimeEmbedding(config, weights.child("add_embedding"))
        self.encoder_hid_proj = TextImageProjection(config, weights.child("encoder_hid_proj"))
        self.down_blocks = nn.CellList([DownBlock(config, weights.child(f"down_blocks.{i}"), i) for i in levels])
        self.mid_block = MidBlock(config, weights.child("mid_block"))
        skip_widths = _skip_widths(config)
        layers = config.layers_per_block + 1
        self.up_blocks = nn.CellList(
            [
                UpBlock(config, weights.child(f"up_blocks.{i}"), i, skip_widths[i * layers : (i + 1) * layers])
                for i in levels
            ]
        )
        self.conv_norm_out = GroupNorm(
            config.norm_num_groups, channels[0], config.norm_eps, weights.child("conv_norm_out")
        )
        self.conv_out = Conv2d(channels[0], config.out_channels, 3, weights.child("conv_out"))

    def condition(self, text: list[KeysAndValues], text_embeds: Tensor, image_embeds: Tensor) -> Conditioning:
        """The conditioning that `construct` takes at each step of a run.

        All tensors are of the weights' dtype.

        Args:
            text: what `project_text` makes of the text, which need not be made again for another image.
            text_embeds: the text encoder's pooled embedding, (B, cross_attention_dim).
            image_embeds: the prior's or a picture's CLIP embedding, (B, cross_attention_dim).
        """
        tokens = list(zip(self.project_image(image_embeds), text, strict=True))
        return Conditioning(text_embeds, image_embeds, tokens)

    @ops.planned
    def project_text(self, encoder_hidden_states: Tensor) -> list[KeysAndValues]:
        """Keys and values for each attention of the text encoder's hidden states, (B, T, encoder_hid_dim)."""
        return self._keys_and_values(self.encoder_hid_proj.text_tokens(encoder_hidden_states))

    @ops.planned
    def project_image(self, image_embeds: Tensor) -> list[KeysAndValues]:
        """The same of image embeddings, (B, cross_attention_dim)."""
        return self._keys_and_values(self.encoder_hid_proj.image_tokens(image_embeds))

    def _keys_and_values(self, tokens: Tensor) -> list[KeysAndValues]:
        return [attention.keys_and_values(tokens) for attention in self._all(AddedKVAttention)]

    def construct(self, sample: Tensor, timestep: int, conditioning: Conditioning) -> Tensor:
        """Predict the noise, for the scheduler, at `timestep` (0 to 999): (B, out_channels, height, width).

        Args:
            sample: noisy latents, and the inpainting channels behind them: (B, in_channels, height, width).
            timestep: that of the sample's noise.
            conditioning: of as many samples.

        Raises:
            ValueError: height or width is no multiple of `config.size_multiple`.
        """
        self._check_size(sample)
        sinusoids = timestep_sinusoid(timestep, sample.shape[0], self.config.block_out_channels[0])
        return self.predict(sample, sinusoids, conditioning)

    @ops.planned
    def predict(self, sample: Tensor, sinusoids: Tensor, conditioning: Conditioning) -> Tensor:
        """`construct` with the sinusoids (B, width) of the timestep."""
        temb = self._embed(sinusoids, conditioning.text_embeds, conditioning.image_embeds)
        tokens = iter(conditioning.tokens)
        skips = [self.conv_in(sample)]
        for down_block in self.down_blocks:
            skips += down_block(skips[-1], temb, tokens)
        x = self.mid_block(skips[-1], temb, tokens)
        for up_block in self.up_blocks:
            x = up_block(x, skips, temb, tokens)
        return self.conv_out(ops.silu(self.conv_norm_out(x)))

    def _embed(self, sinusoids: Tensor, text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        """`temb`, the embedding of time, text and image: (B, embedding_width).

        Activated here once, where the reference does it in every residual block.
        """
        times = self.time_embedding(sinusoids.astype(text_embeds.dtype))
        return ops.silu(times + self.add_embedding(text_embeds, image_embeds))

    def _all(self, kind: type[T]) -> list[T]:
        """The cells of a kind, in the order of their use."""
        return [cell for _, cell in self.cells_and_names() if isinstance(cell, kind)]

    def _check_size(self, sample: Tensor) -> None:
        height, width = sample.shape[2:]
        multiple = self.config.size_multiple
        if height % multiple or width % multiple:
            raise ValueError(f"latents of {width} x {height} do not fit this UNet: give multiples of {multiple}")


def _skip_widths(config: UNetConfig) -> list[int]:
    """Channels of what the down path keeps, in the order in which the up path takes it: the last first."""
    widths = [config.block_out_channels[0]]
    for channels in config.block_out_channels:
        widths += [channels] * (config.layers_per_block + 1)
    widths.pop()  # the last level has no downsampler
    return widths[::-1]
