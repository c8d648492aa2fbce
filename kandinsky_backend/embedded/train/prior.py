"""The prior: a caption's tokens and embedding to the embedding of a picture that it describes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import PriorTransformer, UnCLIPScheduler
from torch import Tensor, nn

from . import clip
from .captions import random_caption
from .clip import said_by
from .codes import EMBEDDING
from .dataset import Dataset
from .loop import Losses, Run, Schedule, reduced_precision, train, trained
from .vocabularies import CONTEXT

SCHEDULE = Schedule(steps=4000, learning_rate=1.5e-3)
BATCH = 96
HEADS = 4
GUIDANCE = 4.0  # the pipelines' default


def model() -> PriorTransformer:
    """The published prior, thin."""
    return PriorTransformer(
        num_attention_heads=HEADS,
        attention_head_dim=32,
        num_layers=3,
        embedding_dim=EMBEDDING,
        num_embeddings=CONTEXT,
        additional_embeddings=4,
    )


def scheduler() -> UnCLIPScheduler:
    """As published."""
    return UnCLIPScheduler(
        variance_type="fixed_small_log",
        prediction_type="sample",
        num_train_timesteps=1000,
        clip_sample=True,
        clip_sample_range=5.0,
    )


class Trainee(nn.Module):
    """The prior, which expects embeddings scaled by its clip_mean and clip_std."""

    def __init__(self) -> None:
        super().__init__()
        self.prior = model()

    def scale_to(self, codes: Tensor) -> None:
        """Take mean and deviation from the codes of pictures, (N, EMBEDDING)."""
        prior = self.prior
        prior.clip_mean = nn.Parameter(codes.mean(0, keepdim=True), requires_grad=False)
        prior.clip_std = nn.Parameter(codes.std(0, keepdim=True), requires_grad=False)

    def forward(self, noisy: Tensor, t: Tensor, text_embeds: Tensor, hidden: Tensor, mask: Tensor) -> Tensor:
        """PriorTransformer.forward over the L tokens that the batch needs, not all 77.

        Pads are masked, so the result is the same; positions stay those of the full sequence.
        """
        prior, batch, length = self.prior, len(noisy), hidden.shape[1]
        time = prior.time_embedding(prior.time_proj(t))
        last = [prior.embedding_proj(text_embeds), time, prior.proj_in(noisy), prior.prd_embedding[0].expand(batch, -1)]
        tokens = torch.cat([prior.encoder_hidden_states_proj(hidden), torch.stack(last, 1)], dim=1)
        positions = prior.positional_embedding
        tokens = tokens + torch.cat([positions[:, :length], positions[:, CONTEXT:]], dim=1)
        scores = _causal(mask, len(last)).repeat_interleave(HEADS, dim=0)
        for block in prior.transformer_blocks:
            tokens = block(tokens, attention_mask=scores)
        predicted: Tensor = prior.proj_to_clip_embeddings(prior.norm_out(tokens)[:, -1])
        return predicted


def _causal(mask: Tensor, extra: int) -> Tensor:
    """Token mask (B, L) -> what is added to attention's scores, (B, L + extra, L + extra)."""
    size = mask.shape[1] + extra
    pads = nn.functional.pad((1 - mask.float()) * -10000.0, (0, extra))
    later = torch.full((size, size), -10000.0, device=mask.device).triu(1)
    return pads[:, None] + later


def fit(data: Dataset, codes: Tensor, clip_folder: Path, vocabulary: Path, run: Run) -> None:
    """Train for SCHEDULE, or what of it is left in the run's folder. `codes` (N, EMBEDDING) are the dataset's.

    What guidance makes of two predictions is what should be right, so that is what is trained: the prediction for a
    caption learns to lie only as far from that for no caption as GUIDANCE then stretches. Trained for itself, it would
    be stretched beyond the mark: colours would come out of another hue.
    """
    teacher = clip.load(clip_folder, vocabulary).to(run.device)
    named = data.named
    trainee = Trainee()
    trainee.scale_to(codes[named])
    scaled = ((codes - trainee.prior.clip_mean) / trainee.prior.clip_std).to(run.device)
    trainee.to(run.device)
    alphas = scheduler().alphas_cumprod.to(run.device)
    ids, mask = (tensor.to(run.device) for tensor in clip.tokens(teacher.tokenizer, [""]))
    with torch.no_grad():
        silence = teacher.text(input_ids=ids, attention_mask=mask)
    nothing_said = silence.text_embeds, silence.last_hidden_state, mask

    def losses(rng: np.random.Generator) -> Losses:
        rows = rng.choice(named, run.batch_factor * BATCH)
        captions = [random_caption(said_by(data.labels[row]), rng) for row in rows]
        ids, mask = (tensor.to(run.device) for tensor in clip.tokens(teacher.tokenizer, captions))
        with torch.no_grad():
            texts = teacher.text(input_ids=ids, attention_mask=mask)
        t = torch.randint(0, len(alphas), (len(rows),), device=run.device)
        alpha, clean = alphas[t][:, None], scaled[rows]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * torch.randn_like(clean)
        with reduced_precision(run.device):
            predicted = trainee(noisy, t, texts.text_embeds, texts.last_hidden_state, mask).float()
            unprompted = trainee(noisy, t, *(kept.expand(len(rows), *kept.shape[1:]) for kept in nothing_said)).float()
        guided = unprompted.detach() + GUIDANCE * (predicted - unprompted.detach())
        parts = {"guided": (guided - clean).square().mean(), "unprompted": (unprompted - clean).square().mean()}
        return {"loss": sum(parts.values()), **parts}

    train(trainee, losses, SCHEDULE, run)


def load(folder: Path) -> PriorTransformer:
    """The trained prior."""
    return trained(Trainee(), folder).prior
