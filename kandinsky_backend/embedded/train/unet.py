"""The decoder's UNet: noise to MoVQ latents, given a picture's embedding and sometimes a caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from . import text
from .captions import random_caption
from .clip import said_by
from .codes import EMBEDDING
from .dataset import UNNAMED, Dataset
from .group_norm import quicken
from .loop import Losses, Run, Schedule, reduced_precision, train, trained

SCHEDULE = Schedule(steps=12_500, learning_rate=1e-3)
BATCH = 32  # a worker
PROMPTED = 0.15  # of the pictures have a caption too; the product's own blends leave it empty
UNGUIDED = 0.1  # have the embedding of no picture: the negative of guidance
GUIDANCE = 4.0  # the pipelines' default
SNR_LIMIT = 5.0  # Hang et al., 2023, arXiv:2303.09556


def model() -> UNet2DConditionModel:
    """The published UNet with three levels instead of four."""
    return UNet2DConditionModel(
        in_channels=4,
        out_channels=8,
        addition_embed_type="text_image",
        addition_embed_type_num_heads=64,
        down_block_types=("ResnetDownsampleBlock2D",) + ("SimpleCrossAttnDownBlock2D",) * 2,
        up_block_types=("SimpleCrossAttnUpBlock2D",) * 2 + ("ResnetUpsampleBlock2D",),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(64, 96, 128),
        norm_num_groups=16,
        layers_per_block=1,
        encoder_hid_dim=text.WIDTH,
        encoder_hid_dim_type="text_image_proj",
        cross_attention_dim=EMBEDDING,
        attention_head_dim=32,
        resnet_time_scale_shift="scale_shift",
        sample_size=16,
    )


def scheduler() -> DDIMScheduler:
    """As published."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="epsilon",
        thresholding=False,
    )


@dataclass(frozen=True)
class Embeds:
    """What CLIP gave the dataset's pictures, (N, EMBEDDING), and what it gives no picture, (1, EMBEDDING)."""

    pictures: Tensor
    nothing: Tensor


class Prompts:
    """Captions through the text encoder, with the empty one kept."""

    def __init__(self, encoder: MultilingualCLIP, tokenizer: PreTrainedTokenizerFast) -> None:
        self.encoder, self.tokenizer = encoder, tokenizer
        self.empty = text.encode(encoder, tokenizer, [""])

    def __call__(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """As `text.encode`; only captions that say something are run."""
        embeds, hidden = (kept.repeat(len(captions), *[1] * (kept.ndim - 1)) for kept in self.empty)
        said = [i for i, caption in enumerate(captions) if caption]
        if said:
            embeds[said], hidden[said] = text.encode(self.encoder, self.tokenizer, [captions[i] for i in said])
        return embeds, hidden


def fit(data: Dataset, latents: Tensor, codes: Tensor, embeds: Embeds, prompts: Prompts, run: Run) -> None:
    """Train for SCHEDULE, or what of it is left in the run's folder.

    As in prior.py, what is trained of a wanted picture is what guidance makes of its prediction.
    Half of the pictures are asked for by their code, which is what the prior aims at, half by the embedding that CLIP
    gave them. `latents` (N, 4, 16, 16) and `codes` (N, EMBEDDING) are the dataset's.
    """
    unet = model().to(run.device, memory_format=torch.channels_last)
    quicken(unet)
    alphas = scheduler().alphas_cumprod.to(run.device)
    sources = torch.stack([codes, embeds.pictures])
    batch = run.batch_factor * BATCH
    is_named = (data.labels != UNNAMED).all(1)

    def losses(rng: np.random.Generator) -> Losses:
        rows = rng.integers(len(data), size=batch)
        guided = rng.random(batch) >= UNGUIDED
        prompted = guided & (rng.random(batch) < PROMPTED) & is_named[rows]
        captions = [
            random_caption(said_by(data.labels[row]), rng) if prompt else ""
            for row, prompt in zip(rows, prompted, strict=True)
        ]
        wanted = _roughened(sources[rng.integers(2, size=batch), rows])
        wanted = torch.where(torch.from_numpy(guided)[:, None], wanted, embeds.nothing)
        asked = Asked(wanted.to(run.device), *prompts(captions))
        nothing = Asked(embeds.nothing.expand(batch, -1).to(run.device), *prompts([""] * batch))
        scale = torch.from_numpy(np.where(guided, GUIDANCE, 1.0)).float().to(run.device)
        return denoising_losses(unet, latents[rows].float().to(run.device), asked, nothing, scale, alphas)

    train(unet, losses, SCHEDULE, run)


def _roughened(embeds: Tensor) -> Tensor:
    """Embeddings a little off, as the prior's and the sums of a blend are."""
    scale = 1 + 0.1 * torch.randn(len(embeds), 1)
    noise = 0.15 * torch.rand(len(embeds), 1) * torch.randn_like(embeds)
    return embeds * scale + noise


@dataclass(frozen=True)
class Asked:
    """What pictures are asked for with: CLIP's embeddings (B, EMBEDDING), and the text encoder's of the captions, both
    pooled (B, EMBEDDING) and as hidden states (B, 77, WIDTH)."""

    embeds: Tensor
    text_embeds: Tensor
    hidden: Tensor

    def noise(self, unet: UNet2DConditionModel, noisy: Tensor, t: Tensor) -> Tensor:
        """The predicted noise, without the variance that the published UNet has behind it."""
        conditions = {"text_embeds": self.text_embeds, "image_embeds": self.embeds}
        with reduced_precision(noisy.device):
            output = unet(noisy, t, encoder_hidden_states=self.hidden, added_cond_kwargs=conditions).sample
        predicted: Tensor = output[:, :4].float()
        return predicted


def denoising_losses(
    unet: UNet2DConditionModel, latents: Tensor, asked: Asked, nothing: Asked, scale: Tensor, alphas: Tensor
) -> Losses:
    """Squared error, weighted by `weight_of`, of the noise that guidance by `scale` (B,) from `nothing` predicts."""
    t = torch.randint(0, len(alphas), (len(latents),), device=latents.device)
    alpha = alphas[t][:, None, None, None]
    noise = torch.randn_like(latents)
    noisy = alpha.sqrt() * latents + (1 - alpha).sqrt() * noise
    with torch.no_grad():
        unasked = nothing.noise(unet, noisy, t)
    guided = unasked + scale[:, None, None, None] * (asked.noise(unet, noisy, t) - unasked)
    error = (guided - noise).square().mean((1, 2, 3))
    snr = (alpha / (1 - alpha)).flatten()
    late = t < 500
    return {
        "loss": (error * weight_of(snr)).mean(),
        "clear": error[late].mean() if late.any() else error.mean(),
        "noisy": error[~late].mean() if (~late).any() else error.mean(),
    }


def weight_of(snr: Tensor) -> Tensor:
    """What an error of the noise counts: min(SNR, limit) / SNR; where noise prevails, SNR ** -0.75.

    There a small error of the noise is a large one of the latent behind it, and guidance multiplies it: colours, which
    are settled first, would come out wrong.
    """
    return torch.where(snr < 1, snr.pow(-0.75), snr.clamp(max=SNR_LIMIT) / snr)


def load(folder: Path) -> UNet2DConditionModel:
    """The trained UNet."""
    return trained(model(), folder)
