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
        """What height and width of a sample are multiples of: each level but the last halves them."""
        return 2 ** (len(self.block_out_channels) - 1)


def _same_size(x: Tensor) -> Tensor:
    return x


class Affine(NamedTuple):
    """Weight and bias of a group norm, each (B, channels): other ones for each sample."""

    weight: Tensor
    bias: Tensor


class KeysAndValues(NamedTuple):
    """What attention sees besides the pixels, each (B, heads, T, head_dim)."""

    keys: Tensor
    values: Tensor


class Conditioning(NamedTuple):
    """What time, text and image do to the UNet in one denoising run, made by `UNet2DConditionModel.condition`.

    Nothing of it depends on the latents, and the tokens not even on the timestep: making it once for all steps saves
    each step a third of its operators, for 0.6 MB a timestep at the published size (float32, two samples). It holds no
    weights, so that it outlives a UNet that is dropped from memory.
    """

    norms: dict[int, list[Affine]]  # by timestep; one for each ResnetBlock2D, in the order of their use
    tokens: list[KeysAndValues]  # one for each AddedKVAttention, in the order of their use


class ResnetBlock2D(nn.Cell):
    """Residual block on (B, in_channels, H, W) whose second norm is scaled and shifted by projections of `temb`.

    `temb` is the embedding of time, text and image; `resample` changes H and W inside the block.
    """

    def __init__(
        self,
        weights: Weights,
        config: UNetConfig,
        in_channels: int,
        out_channels: int,
        resample: Callable[[Tensor], Tensor] = _same_size,
    ) -> None:
        super().__init__()
        groups, eps = config.norm_num_groups, config.norm_eps
        self.norm1 = GroupNorm(weights.child("norm1"), groups, in_channels, eps)
        self.conv1 = Conv2d(weights.child("conv1"), in_channels, out_channels, 3)
        self.time_emb_proj = Linear(weights.child("time_emb_proj"), config.embedding_width, 2 * out_channels)
        self.norm2 = GroupNorm(weights.child("norm2"), groups, out_channels, eps)
        self.conv2 = Conv2d(weights.child("conv2"), out_channels, out_channels, 3)
        self.conv_shortcut = (
            None
            if in_channels == out_channels
            else Conv2d(weights.child("conv_shortcut"), in_channels, out_channels, 1)
        )
        self.resample = resample

    def affines(self, temb: Tensor, timesteps: int) -> list[Affine]:
        """What `temb` (timesteps * B, embedding_width) makes of the second norm, one for each timestep.

        norm(x) * (1 + scale) + shift is a norm of another weight and bias, which needs no pass over x of its own.
        """
        scale, shift = ops.split(self.time_emb_proj(temb), 2, axis=1)
        factor = 1.0 + scale
        weights = ops.split(self.norm2.weight * factor, timesteps, axis=0)
        biases = ops.split(self.norm2.bias * factor + shift, timesteps, axis=0)
        return [Affine(weight, bias) for weight, bias in zip(weights, biases, strict=True)]

    def construct(self, x: Tensor, affine: Affine) -> Tensor:
        hidden = self.conv1(self.resample(ops.silu(self.norm1(x))))
        hidden = ops.group_norm_each(hidden, self.norm2.groups, affine.weight, affine.bias, self.norm2.eps)
        hidden = self.conv2(ops.silu(hidden))
        x = self.resample(x)
        return hidden + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class AddedKVAttention(nn.Cell):
    """Self-attention of a map's pixels, with projections of tokens as further keys and values."""

    def __init__(self, weights: Weights, config: UNetConfig, channels: int) -> None:
        super().__init__()
        if channels % config.attention_head_dim:
            raise ValueError(f"{channels} channels cannot be split into attention heads of {config.attention_head_dim}")
        self.heads = channels // config.attention_head_dim
        self.group_norm = GroupNorm(weights.child("group_norm"), config.norm_num_groups, channels, _ATTENTION_NORM_EPS)
        self.to_q = Linear(weights.child("to_q"), channels, channels)
        self.to_k = Linear(weights.child("to_k"), channels, channels)
        self.to_v = Linear(weights.child("to_v"), channels, channels)
        self.add_k_proj = Linear(weights.child("add_k_proj"), config.cross_attention_dim, channels)
        self.add_v_proj = Linear(weights.child("add_v_proj"), config.cross_attention_dim, channels)
        self.to_out = nn.CellList([Linear(weights.child("to_out.0"), channels, channels)])

    def keys_and_values(self, tokens: Tensor) -> KeysAndValues:
        """Of the tokens (B, T, width)."""
        return KeysAndValues(
            split_heads(self.add_k_proj(tokens), self.heads), split_heads(self.add_v_proj(tokens), self.heads)
        )

    def construct(self, x: Tensor, tokens: KeysAndValues) -> Tensor:
        pixels = ops.map_to_tokens(self.group_norm(x))
        query, key, value = (split_heads(to(pixels), self.heads) for to in (self.to_q, self.to_k, self.to_v))
        key, value = ops.concat([tokens.keys, key], axis=2), ops.concat([tokens.values, value], axis=2)
        mixed = merge_heads(ops.attention(query, key, value))
        return x + ops.tokens_to_map(self.to_out[0](mixed), x.shape[2], x.shape[3])


def _attentions(weights: Weights, config: UNetConfig, channels: int, count: int) -> nn.CellList:
    return nn.CellList([AddedKVAttention(weights.child(f"attentions.{i}"), config, channels) for i in range(count)])


class DownBlock(nn.Cell):
    """A level of the down path: residual blocks, each followed by attention on some levels, and a downsampling one.

    ResnetDownsampleBlock2D without, SimpleCrossAttnDownBlock2D with attention.
    """

    def __init__(self, weights: Weights, config: UNetConfig, level: int) -> None:
        super().__init__()
        channels = config.block_out_channels[level]
        layers = config.layers_per_block
        widths = [config.block_out_channels[max(level - 1, 0)]] + [channels] * (layers - 1)
        self.resnets = nn.CellList(
            [ResnetBlock2D(weights.child(f"resnets.{i}"), config, width, channels) for i, width in enumerate(widths)]
        )
        self.attentions = _attentions(weights, config, channels, layers if config.down_attention[level] else 0)
        is_last = level == len(config.block_out_channels) - 1
        self.downsamplers = nn.CellList(
            []
            if is_last
            else [ResnetBlock2D(weights.child("downsamplers.0"), config, channels, channels, ops.downsample_mean)]
        )

    def construct(self, x: Tensor, norms: Iterator[Affine], tokens: Iterator[KeysAndValues]) -> list[Tensor]:
        """What every layer gives, for the up path; the last of them goes on down."""
        outputs = []
        for i, resnet in enumerate(self.resnets):
            x = resnet(x, next(norms))
            if len(self.attentions):
                x = self.attentions[i](x, next(tokens))
            outputs.append(x)
        for downsampler in self.downsamplers:
            outputs.append(downsampler(outputs[-1], next(norms)))
        return outputs


class MidBlock(nn.Cell):
    """UNetMidBlock2DSimpleCrossAttn: residual block, attention, residual block, at the lowest resolution."""

    def __init__(self, weights: Weights, config: UNetConfig) -> None:
        super().__init__()
        channels = config.block_out_channels[-1]
        self.resnets = nn.CellList(
            [ResnetBlock2D(weights.child(f"resnets.{i}"), config, channels, channels) for i in range(2)]
        )
        self.attentions = _attentions(weights, config, channels, 1)

    def construct(self, x: Tensor, norms: Iterator[Affine], tokens: Iterator[KeysAndValues]) -> Tensor:
        x = self.attentions[0](self.resnets[0](x, next(norms)), next(tokens))
        return self.resnets[1](x, next(norms))


class UpBlock(nn.Cell):
    """A level of the up path: as the down path's, with one layer more, each taking an output of the down path too.

    ResnetUpsampleBlock2D without, SimpleCrossAttnUpBlock2D with attention. `level` counts from the lowest resolution;
    `skip_widths` are the channels of the down path's outputs in the order in which the layers take them.
    """

    def __init__(self, weights: Weights, config: UNetConfig, level: int, skip_widths: list[int]) -> None:
        super().__init__()
        channels = config.block_out_channels[-1 - level]
        below = config.block_out_channels[min(-level, -1)]
        widths = [below] + [channels] * (len(skip_widths) - 1)
        self.resnets = nn.CellList(
            [
                ResnetBlock2D(weights.child(f"resnets.{i}"), config, width + skip_width, channels)
                for i, (width, skip_width) in enumerate(zip(widths, skip_widths, strict=True))
            ]
        )
        self.attentions = _attentions(weights, config, channels, len(skip_widths) if config.up_attention[level] else 0)
        is_last = level == len(config.block_out_channels) - 1
        self.upsamplers = nn.CellList(
            []
            if is_last
            else [ResnetBlock2D(weights.child("upsamplers.0"), config, channels, channels, ops.upsample_nearest)]
        )

    def construct(
        self, x: Tensor, skips: list[Tensor], norms: Iterator[Affine], tokens: Iterator[KeysAndValues]
    ) -> Tensor:
        """Takes what it needs off the end of `skips`, so that their memory is free as soon as they are used."""
        for i, resnet in enumerate(self.resnets):
            x = resnet(ops.concat([x, skips.pop()], axis=1), next(norms))
            if len(self.attentions):
                x = self.attentions[i](x, next(tokens))
        for upsampler in self.upsamplers:
            x = upsampler(x, next(norms))
        return x


class TextImageProjection(nn.Cell):
    """Hidden states (B, T, encoder_hid_dim) and image embeddings (B, width) -> tokens (B, IMAGE_TOKENS + T, width)."""

    def __init__(self, weights: Weights, config: UNetConfig) -> None:
        super().__init__()
        width = config.cross_attention_dim
        self.image_embeds = Linear(weights.child("image_embeds"), width, IMAGE_TOKENS * width)
        self.text_proj = Linear(weights.child("text_proj"), config.encoder_hid_dim, width)

    def construct(self, encoder_hidden_states: Tensor, image_embeds: Tensor) -> Tensor:
        image_tokens = self.image_embeds(image_embeds).reshape(image_embeds.shape[0], IMAGE_TOKENS, -1)
        return ops.concat([image_tokens, self.text_proj(encoder_hidden_states)], axis=1)


class TextImageTimeEmbedding(nn.Cell):
    """Text and image embeddings (B, width) -> what is added to the time's embedding, (B, embedding_width)."""

    def __init__(self, weights: Weights, config: UNetConfig) -> None:
        super().__init__()
        self.text_proj = Linear(weights.child("text_proj"), config.cross_attention_dim, config.embedding_width)
        self.text_norm = LayerNorm(weights.child("text_norm"), config.embedding_width)
        self.image_proj = Linear(weights.child("image_proj"), config.cross_attention_dim, config.embedding_width)

    def construct(self, text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        return self.image_proj(image_embeds) + self.text_norm(self.text_proj(text_embeds))


class UNet2DConditionModel(nn.Cell):
    """Predicts a denoising step: `condition` once for a run, then `construct` at each step."""

    def __init__(self, config: UNetConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        channels = config.block_out_channels
        levels = range(len(channels))
        self.conv_in = Conv2d(weights.child("conv_in"), config.in_channels, channels[0], 3)
        self.time_embedding = TimestepEmbedding(weights.child("time_embedding"), channels[0], config.embedding_width)
        self.add_embedding = TextImageTimeEmbedding(weights.child("add_embedding"), config)
        self.encoder_hid_proj = TextImageProjection(weights.child("encoder_hid_proj"), config)
        self.down_blocks = nn.CellList([DownBlock(weights.child(f"down_blocks.{i}"), config, i) for i in levels])
        self.mid_block = MidBlock(weights.child("mid_block"), config)
        skip_widths = _skip_widths(config)
        layers = config.layers_per_block + 1
        self.up_blocks = nn.CellList(
            [
                UpBlock(weights.child(f"up_blocks.{i}"), config, i, skip_widths[i * layers : (i + 1) * layers])
                for i in levels
            ]
        )
        self.conv_norm_out = GroupNorm(
            weights.child("conv_norm_out"), config.norm_num_groups, channels[0], config.norm_eps
        )
        self.conv_out = Conv2d(weights.child("conv_out"), channels[0], config.out_channels, 3)

    def condition(
        self, timesteps: Sequence[int], encoder_hidden_states: Tensor, text_embeds: Tensor, image_embeds: Tensor
    ) -> Conditioning:
        """What `construct` takes besides latents, for all timesteps (0 to 999 each) of a run.

        All tensors are of the weights' dtype.

        Args:
            timesteps: those that will be asked for.
            encoder_hidden_states: the text encoder's, (B, T, encoder_hid_dim).
            text_embeds: the text encoder's pooled embedding, (B, cross_attention_dim).
            image_embeds: the prior's or a picture's CLIP embedding, (B, cross_attention_dim).
        """
        temb = self._embed(timesteps, text_embeds, image_embeds)
        affines = [resnet.affines(temb, len(timesteps)) for resnet in self._all(ResnetBlock2D)]
        norms = {timestep: [steps[i] for steps in affines] for i, timestep in enumerate(timesteps)}
        tokens = self.encoder_hid_proj(encoder_hidden_states, image_embeds)
        return Conditioning(norms, [attention.keys_and_values(tokens) for attention in self._all(AddedKVAttention)])

    def construct(self, sample: Tensor, timestep: int, conditioning: Conditioning) -> Tensor:
        """What the scheduler takes at `timestep`: (B, out_channels, height, width).

        Args:
            sample: noisy latents, and the inpainting channels behind them: (B, in_channels, height, width).
            timestep: one of those of the conditioning.
            conditioning: of as many samples.

        Raises:
            ValueError: height or width is no multiple of `config.size_multiple`.
        """
        self._check_size(sample)
        norms, tokens = iter(conditioning.norms[timestep]), iter(conditioning.tokens)
        skips = [self.conv_in(sample)]
        for down_block in self.down_blocks:
            skips += down_block(skips[-1], norms, tokens)
        x = self.mid_block(skips[-1], norms, tokens)
        for up_block in self.up_blocks:
            x = up_block(x, skips, norms, tokens)
        return self.conv_out(ops.silu(self.conv_norm_out(x)))

    def _embed(self, timesteps: Sequence[int], text_embeds: Tensor, image_embeds: Tensor) -> Tensor:
        """`temb`, the embeddings of times, text and image: (len(timesteps) * B, embedding_width), the times outermost.

        Activated here once, where the reference does it in every residual block.
        """
        width, batch = self.config.block_out_channels[0], text_embeds.shape[0]
        sinusoids = ops.concat([timestep_sinusoid(timestep, batch, width) for timestep in timesteps], axis=0)
        times = self.time_embedding(sinusoids.astype(text_embeds.dtype))
        added = self.add_embedding(text_embeds, image_embeds)
        return ops.silu(times + ops.concat([added] * len(timesteps), axis=0))

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
