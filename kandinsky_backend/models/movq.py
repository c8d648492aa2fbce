"""MoVQ, the autoencoder between pictures and latents: encoder, code book, and a decoder steered by the latents.

Zheng et al., 2022, arXiv:2209.09002: the decoder's group norms are scaled and shifted, pixel by pixel, by projections
of the latents that are being decoded. Layout and key names: diffusers, vq_model.py, vae.py, unet_2d_blocks.py,
ResnetBlockCondNorm2D in resnet.py, and SpatialNorm in attention_processor.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import mindspore as ms
from mindspore import Tensor, nn

from kandinsky_backend import ops
from kandinsky_backend.models.config import attention_levels, check_supported, size, sizes
from kandinsky_backend.models.layers import Conv2d, Embedding, GroupNorm, Linear, multi_head_attention
from kandinsky_backend.ops.plans.runtime import WORKSPACE, executor
from kandinsky_backend.weights import Weights

# Not keys of config.json: every VQModel has these.
_NORM_EPS = 1e-6
_SPATIAL_NORM_GROUPS = 32

_DOWN_ATTENDS = {"DownEncoderBlock2D": False, "AttnDownEncoderBlock2D": True}
_UP_ATTENDS = {"UpDecoderBlock2D": False, "AttnUpDecoderBlock2D": True}

# What an option that config.json leaves out stands for, where this model does not implement the default.
_LIBRARY_DEFAULTS: dict[str, Any] = {"norm_type": "group"}

_SUPPORTED: dict[str, tuple[Any, ...]] = {
    "act_fn": ("silu",),
    "lookup_from_codebook": (False,),
    "mid_block_add_attention": (True,),
    "norm_type": ("spatial",),
}

# Parts of attention keys as older checkpoints name them, and as this model does. No other key has such a part.
RENAMED_LEAVES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


@dataclass(frozen=True)
class MoVQConfig:
    """The sizes of a MoVQ. Levels run from the full resolution down; `up_attention` runs from the lowest one up."""

    in_channels: int
    out_channels: int
    block_out_channels: tuple[int, ...]  # one a level
    layers_per_block: int
    latent_channels: int
    num_vq_embeddings: int  # codes in the book, each of latent_channels
    norm_num_groups: int  # of the encoder
    down_attention: tuple[bool, ...]
    up_attention: tuple[bool, ...]

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> MoVQConfig:
        """Read a published config.json.

        Raises:
            ValueError: a size is missing or none, or a value is not implemented; the message names the key.
        """
        config = {**_LIBRARY_DEFAULTS, **config}
        check_supported(config, _SUPPORTED)
        block_out_channels = sizes(config, "block_out_channels")
        levels = len(block_out_channels)
        latent_channels = size(config, "latent_channels")
        # The decoder's norms are steered by codes and built for latents: spatial norm needs both to be as wide.
        check_supported(config, {"vq_embed_dim": (None, latent_channels)})
        return cls(
            in_channels=size(config, "in_channels"),
            out_channels=size(config, "out_channels"),
            block_out_channels=block_out_channels,
            layers_per_block=size(config, "layers_per_block"),
            latent_channels=latent_channels,
            num_vq_embeddings=size(config, "num_vq_embeddings"),
            norm_num_groups=size(config, "norm_num_groups"),
            down_attention=attention_levels(config, "down_block_types", _DOWN_ATTENDS, levels),
            up_attention=attention_levels(config, "up_block_types", _UP_ATTENDS, levels),
        )

    @property
    def scale(self) -> int:
        """Pixels a latent, in height and in width: each level but the last halves them."""
        return 2 ** (len(self.block_out_channels) - 1)


class Norm(Protocol):
    """Makes a norm: the encoder's is called with a map, the decoder's with a map and the latents at its size."""

    def __call__(self, *, channels: int, weights: Weights) -> nn.Cell: ...


class SpatialNorm(nn.Cell):
    """Group norm of x (B, channels, H, W), scaled and shifted by projections of `guide` (B, latent_channels, H, W)."""

    def __init__(self, channels: int, latent_channels: int, weights: Weights) -> None:
        super().__init__()
        self.norm_layer = GroupNorm(_SPATIAL_NORM_GROUPS, channels, _NORM_EPS, weights.child("norm_layer"))
        self.conv_y = Conv2d(latent_channels, channels, 1, weights.child("conv_y"))
        self.conv_b = Conv2d(latent_channels, channels, 1, weights.child("conv_b"))

    def construct(self, x: Tensor, guide: Tensor) -> Tensor:
        return self.norm_layer(x) * self.conv_y(guide) + self.conv_b(guide)


class ResnetBlock2D(nn.Cell):
    """Residual block on (B, in_channels, H, W); `guide` is what its norms take besides the map."""

    def __init__(self, in_channels: int, out_channels: int, weights: Weights, norm: Norm) -> None:
        super().__init__()
        self.norm1 = norm(channels=in_channels, weights=weights.child("norm1"))
        self.conv1 = Conv2d(in_channels, out_channels, 3, weights.child("conv1"))
        self.norm2 = norm(channels=out_channels, weights=weights.child("norm2"))
        self.conv2 = Conv2d(out_channels, out_channels, 3, weights.child("conv2"))
        self.conv_shortcut = (
            None
            if in_channels == out_channels
            else Conv2d(in_channels, out_channels, 1, weights.child("conv_shortcut"))
        )

    def construct(self, x: Tensor, *guide: Tensor) -> Tensor:
        hidden = self.conv1(ops.silu(self.norm1(x, *guide)))
        hidden = self.conv2(ops.silu(self.norm2(hidden, *guide)))
        return hidden + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Attention(nn.Cell):
    """Self-attention of a map's pixels with one head as wide as the map; the subclasses bring the norm before it."""

    def __init__(self, channels: int, weights: Weights) -> None:
        super().__init__()
        self.to_q = Linear(channels, channels, weights.child("to_q"))
        self.to_k = Linear(channels, channels, weights.child("to_k"))
        self.to_v = Linear(channels, channels, weights.child("to_v"))
        self.to_out = nn.CellList([Linear(channels, channels, weights.child("to_out.0"))])

    def mix(self, normed: Tensor) -> Tensor:
        """The attention's output for a map whose norm is `normed`, to be added to it: (B, channels, H, W)."""
        pixels = ops.map_to_tokens(normed)
        mixed = multi_head_attention(self.to_q(pixels), self.to_k(pixels), self.to_v(pixels), heads=1)
        return ops.tokens_to_map(self.to_out[0](mixed), normed.shape[2], normed.shape[3])


class EncoderAttention(Attention):
    """Attention after a group norm."""

    def __init__(self, channels: int, weights: Weights, norm: Norm) -> None:
        super().__init__(channels, weights)
        self.group_norm = norm(channels=channels, weights=weights.child("group_norm"))

    def construct(self, x: Tensor) -> Tensor:
        return x + self.mix(self.group_norm(x))


class DecoderAttention(Attention):
    """Attention after a spatial norm."""

    def __init__(self, channels: int, weights: Weights, norm: Norm) -> None:
        super().__init__(channels, weights)
        self.spatial_norm = norm(channels=channels, weights=weights.child("spatial_norm"))

    def construct(self, x: Tensor, guide: Tensor) -> Tensor:
        return x + self.mix(self.spatial_norm(x, guide))


AttentionType = type[EncoderAttention] | type[DecoderAttention]


class MidBlock(nn.Cell):
    """Residual block, attention, residual block, at the lowest resolution."""

    def __init__(self, channels: int, weights: Weights, norm: Norm, attention: AttentionType) -> None:
        super().__init__()
        self.resnets = nn.CellList(
            [ResnetBlock2D(channels, channels, weights.child(f"resnets.{i}"), norm) for i in range(2)]
        )
        self.attentions = nn.CellList([attention(channels, weights.child("attentions.0"), norm)])

    def construct(self, x: Tensor, *guide: Tensor) -> Tensor:
        x = self.attentions[0](self.resnets[0](x, *guide), *guide)
        return self.resnets[1](x, *guide)


class Downsampler(nn.Cell):
    """Halves height and width, which are even, with a strided convolution."""

    def __init__(self, channels: int, weights: Weights) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, weights.child("conv"))

    def construct(self, x: Tensor) -> Tensor:
        return ops.downsample_conv2d(x, self.conv.weight, self.conv.bias)


class Upsampler(nn.Cell):
    """Doubles height and width by repeating pixels, and convolves."""

    def __init__(self, channels: int, weights: Weights) -> None:
        super().__init__()
        self.conv = Conv2d(channels, channels, 3, weights.child("conv"))

    def construct(self, x: Tensor) -> Tensor:
        return self.conv(ops.upsample_nearest(x))


class Level(nn.Cell):
    """Residual blocks at one resolution, the first from `in_channels`, each followed by `attention` where it is one."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        layers: int,
        weights: Weights,
        norm: Norm,
        attention: AttentionType | None,
    ) -> None:
        super().__init__()
        widths = [in_channels] + [channels] * (layers - 1)
        self.resnets = nn.CellList(
            [ResnetBlock2D(width, channels, weights.child(f"resnets.{i}"), norm) for i, width in enumerate(widths)]
        )
        self.attentions = nn.CellList(
            []
            if attention is None
            else [attention(channels, weights.child(f"attentions.{i}"), norm) for i in range(layers)]
        )

    def run_layers(self, x: Tensor, *guide: Tensor) -> Tensor:
        """(B, in_channels, H, W) -> (B, channels, H, W)."""
        for i, resnet in enumerate(self.resnets):
            x = resnet(x, *guide)
            if len(self.attentions):
                x = self.attentions[i](x, *guide)
        return x


class DownBlock(Level):
    """A level of the encoder: DownEncoderBlock2D without, AttnDownEncoderBlock2D with attention."""

    def __init__(self, config: MoVQConfig, weights: Weights, norm: Norm, level: int) -> None:
        channels = config.block_out_channels[level]
        above = config.block_out_channels[max(level - 1, 0)]
        attention = EncoderAttention if config.down_attention[level] else None
        super().__init__(above, channels, config.layers_per_block, weights, norm, attention)
        is_last = level == len(config.block_out_channels) - 1
        self.downsamplers = nn.CellList([] if is_last else [Downsampler(channels, weights.child("downsamplers.0"))])

    def construct(self, x: Tensor) -> Tensor:
        x = self.run_layers(x)
        for downsampler in self.downsamplers:
            x = downsampler(x)
        return x


class UpBlock(Level):
    """A level of the decoder, counted from the lowest resolution: UpDecoderBlock2D, AttnUpDecoderBlock2D."""

    def __init__(self, config: MoVQConfig, weights: Weights, norm: Norm, level: int) -> None:
        channels = config.block_out_channels[-1 - level]
        below = config.block_out_channels[min(-level, -1)]
        attention = DecoderAttention if config.up_attention[level] else None
        super().__init__(below, channels, config.layers_per_block + 1, weights, norm, attention)
        is_last = level == len(config.block_out_channels) - 1
        self.upsamplers = nn.CellList([] if is_last else [Upsampler(channels, weights.child("upsamplers.0"))])

    def construct(self, x: Tensor, latents: Tensor) -> Tensor:
        """x (B, channels below, H, W), latents (B, latent_channels, h, w), H and W whole multiples of h and w."""
        x = self.run_layers(x, _at_size_of(x, latents))
        for upsampler in self.upsamplers:
            x = upsampler(x)
        return x


def _at_size_of(x: Tensor, latents: Tensor) -> Tensor:
    """The latents with each pixel repeated up to the height and width of x: four channels are cheap to enlarge."""
    return ops.resize_nearest(latents, x.shape[2], x.shape[3])


class Encoder(nn.Cell):
    """Pixels (B, in_channels, H, W) -> (B, latent_channels, H / scale, W / scale)."""

    def __init__(self, config: MoVQConfig, weights: Weights) -> None:
        super().__init__()
        norm = partial(GroupNorm, groups=config.norm_num_groups, eps=_NORM_EPS)
        channels = config.block_out_channels
        self.conv_in = Conv2d(config.in_channels, channels[0], 3, weights.child("conv_in"))
        self.down_blocks = nn.CellList(
            [DownBlock(config, weights.child(f"down_blocks.{i}"), norm, i) for i in range(len(channels))]
        )
        self.mid_block = MidBlock(channels[-1], weights.child("mid_block"), norm, EncoderAttention)
        self.conv_norm_out = norm(channels=channels[-1], weights=weights.child("conv_norm_out"))
        self.conv_out = Conv2d(channels[-1], config.latent_channels, 3, weights.child("conv_out"))

    def construct(self, pixels: Tensor) -> Tensor:
        x = self.conv_in(pixels)
        for down_block in self.down_blocks:
            x = down_block(x)
        return self.conv_out(ops.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Cell):
    """Convolved latents, and the latents that steer the norms, (B, latent_channels, h, w) -> pixels."""

    def __init__(self, config: MoVQConfig, weights: Weights) -> None:
        super().__init__()
        norm = partial(SpatialNorm, latent_channels=config.latent_channels)
        channels = config.block_out_channels
        self.conv_in = Conv2d(config.latent_channels, channels[-1], 3, weights.child("conv_in"))
        self.mid_block = MidBlock(channels[-1], weights.child("mid_block"), norm, DecoderAttention)
        self.up_blocks = nn.CellList(
            [UpBlock(config, weights.child(f"up_blocks.{i}"), norm, i) for i in range(len(channels))]
        )
        self.conv_norm_out = norm(channels=channels[0], weights=weights.child("conv_norm_out"))
        self.conv_out = Conv2d(channels[0], config.out_channels, 3, weights.child("conv_out"))

    def construct(self, convolved: Tensor, latents: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(convolved), latents)
        for up_block in self.up_blocks:
            x = up_block(x, latents)
        return self.conv_out(ops.silu(self.conv_norm_out(x, _at_size_of(x, latents))))


class CodeBook(nn.Cell):
    """The vectors that latents are rounded to when they are quantised."""

    def __init__(self, config: MoVQConfig, weights: Weights) -> None:
        super().__init__()
        self.embedding = Embedding(config.num_vq_embeddings, config.latent_channels, weights.child("embedding"))

    def construct(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        batch, channels, height, width = latents.shape
        codes = ops.nearest_rows(ops.map_to_tokens(latents).reshape(-1, channels), self.embedding.weight)
        quantised = ops.tokens_to_map(self.embedding(codes.reshape(batch, -1)), height, width)
        return quantised, codes.reshape(batch, height, width)


_PIXEL_BYTES = 40  # of the picture itself, in float32 and on its way to 8 bits
_OPERATORS_SHARE = 1.8  # MindSpore's operators keep more maps at a time than a plan does


def bytes_of_decoding(config: MoVQConfig, dtype: ms.Type, height: int, width: int) -> int:
    """Bytes that decoding a picture of so many pixels takes beyond the weights, and beyond what plans have reserved.

    They are those of the last block, which works at the picture's own size: two maps of the block before, and one.
    """
    own, before = (*config.block_out_channels, config.block_out_channels[-1])[:2]
    maps = height * width * (own + 2 * before) * (4 if dtype == ms.float32 else 2)
    work = max(0, maps - WORKSPACE.nbytes) if executor() else round(_OPERATORS_SHARE * maps)
    return work + height * width * _PIXEL_BYTES


class MoVQ(nn.Cell):
    """Pictures to latents and back. All tensors are of the weights' dtype."""

    def __init__(self, config: MoVQConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        latents = config.latent_channels
        self.encoder = Encoder(config, weights.child("encoder"))
        self.quant_conv = Conv2d(latents, latents, 1, weights.child("quant_conv"))
        self.quantize = CodeBook(config, weights.child("quantize"))
        self.post_quant_conv = Conv2d(latents, latents, 1, weights.child("post_quant_conv"))
        self.decoder = Decoder(config, weights.child("decoder"))

    @ops.planned
    def encode(self, pixels: Tensor) -> Tensor:
        """Latents (B, latent_channels, H / scale, W / scale) of pixels (B, in_channels, H, W) in -1 to 1.

        Raises:
            ValueError: H or W is no multiple of `config.scale`.
        """
        height, width = pixels.shape[2:]
        scale = self.config.scale
        if height % scale or width % scale:
            raise ValueError(f"a picture of {width} x {height} does not fit this MoVQ: give multiples of {scale}")
        return self.quant_conv(self.encoder(pixels))

    def quantise(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest vectors of the code book, shaped as the latents, and their indices, int32 (B, h, w)."""
        return self.quantize(latents)

    @ops.planned
    def decode(self, latents: Tensor) -> Tensor:
        """Pixels (B, out_channels, scale h, scale w), about -1 to 1, of latents (B, latent_channels, h, w) as they are.

        This is the reference's decode with force_not_quantize, as Kandinsky uses it; its plain decode is
        `decode(quantise(latents)[0])`.
        """
        return self.decoder(self.post_quant_conv(latents), latents)
