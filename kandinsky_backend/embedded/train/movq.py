"""MoVQ: 128 px pictures to 16 x 16 x 4 latents and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import VQModel
from torch import Tensor, nn
from torch.nn import functional

from .dataset import Dataset, Pixels
from .group_norm import quicken
from .loop import Losses, Run, Schedule, reduced_precision, train, trained

SCHEDULE = Schedule(steps=4000, learning_rate=1.5e-3)
WHOLE_BATCH = 2
CROP = 64  # px; crops cost a quarter, and most of what there is to learn is local
CROP_BATCH = 8
WHOLE_SHARE = 0.15  # of the steps see whole pictures, for the attention and the statistics of the norms
LATENT_NOISE = 0.1  # the decoder must forgive the UNet this much
CODES = 256


def model() -> VQModel:
    """The published MoVQ, thin."""
    return VQModel(
        block_out_channels=(32, 32, 64, 64),  # multiples of 32: the spatial norm's groups
        down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=CODES,
        vq_embed_dim=4,
    )


class Trainee(nn.Module):
    """MoVQ and a head, dropped afterwards, that reads each cell's mean colour from its latent."""

    def __init__(self) -> None:
        super().__init__()
        self.movq = model()
        self.mean_colour = nn.Conv2d(4, 3, 1)

    def losses(self, pictures: Tensor) -> Losses:
        """Pictures (B, 3, 128, 128) in -1..1 -> how far they are from what comes back.

        Kandinsky decodes latents unquantised and at scale 1, so they are kept centred, of unit variance, and smooth:
        linear in colour, and decodable under noise.
        """
        latents = self.movq.encode(pictures).latents.float()
        noisy = latents + LATENT_NOISE * torch.rand_like(latents[:, :1, :1, :1]) * torch.randn_like(latents)
        back = self.movq.decode(noisy, force_not_quantize=True).sample.float()
        error = (back - pictures).abs()
        pixels = error.mean() + 2 * error.square().mean() + 0.5 * _edges(back - pictures)
        colours = functional.mse_loss(self.mean_colour(latents), functional.avg_pool2d(pictures, 8))
        scale = latents.mean((0, 2, 3)).square().mean() + (latents.std((0, 2, 3)) - 1).square().mean()
        psnr = -10 * torch.log10((back.detach().clamp(-1, 1) - pictures).square().mean() / 4)
        return {"loss": pixels + 0.3 * colours + 0.1 * scale, "colours": colours, "scale": scale, "psnr": psnr}


def _edges(difference: Tensor) -> Tensor:
    """Mean absolute difference between the errors of neighbours: blur costs more than a slightly wrong shade."""
    return difference.diff(dim=2).abs().mean() + difference.diff(dim=3).abs().mean()


def to_tensor(pictures: Pixels) -> Tensor:
    """uint8 (B, H, W, 3) -> (B, 3, H, W) in -1..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def fit(data: Dataset, run: Run) -> None:
    """Train for SCHEDULE, or what of it is left in the run's folder."""
    trainee = Trainee().to(run.device, memory_format=torch.channels_last)
    quicken(trainee)

    def losses(rng: np.random.Generator) -> Losses:
        pictures = to_tensor(_batch(data.pictures, rng, run.batch_factor)).to(run.device)
        with reduced_precision(run.device):
            return trainee.losses(pictures)

    train(trainee, losses, SCHEDULE, run)


def _batch(pictures: Pixels, rng: np.random.Generator, factor: int) -> Pixels:
    """Whole pictures, or the same crop of four times as many."""
    if rng.random() < WHOLE_SHARE:
        return pictures[np.sort(rng.integers(len(pictures), size=factor * WHOLE_BATCH))]
    rows = np.sort(rng.integers(len(pictures), size=factor * CROP_BATCH))
    y, x = rng.integers(0, pictures.shape[1] - CROP + 1, size=2)
    return pictures[rows, y : y + CROP, x : x + CROP]


def load(folder: Path) -> VQModel:
    """The trained MoVQ."""
    return trained(Trainee(), folder).movq


@torch.no_grad()
def encode(movq: VQModel, pictures: Pixels, batch: int = 64) -> Tensor:
    """uint8 pictures -> latents (N, 4, 16, 16) in float16."""
    parts = []
    for i in range(0, len(pictures), batch):
        with reduced_precision(movq.device):
            latents = movq.encode(to_tensor(pictures[i : i + batch]).to(movq.device)).latents
        parts.append(latents.half().cpu())
    return torch.cat(parts)


@torch.no_grad()
def lay_codebook(movq: VQModel, latents: Tensor, rounds: int = 10) -> None:
    """Set the codes to k-means centres of latents (N, 4, 16, 16)."""
    points = latents.float().permute(0, 2, 3, 1).reshape(-1, 4)
    codes = points[torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:CODES]].clone()
    for _ in range(rounds):
        nearest = torch.cdist(points, codes).argmin(1)
        sums = torch.zeros_like(codes).index_add_(0, nearest, points)
        counts = torch.bincount(nearest, minlength=CODES)[:, None]
        codes = torch.where(counts > 0, sums / counts.clamp(min=1), codes)
    movq.quantize.embedding.weight.copy_(codes)
