"""The decoder's multilingual text encoder, which answers as CLIP's text half does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from .captions import in_some_words, random_said
from .clip import labels_of, said_by
from .codes import EMBEDDING, telling_error
from .dataset import Dataset
from .loop import Losses, Run, Schedule, train, trained
from .vocabularies import CONTEXT, xlmr_tokenizer

WIDTH = 64
SCHEDULE = Schedule(steps=2000, learning_rate=2e-3)
BATCH = 96


def model(tokenizer: PreTrainedTokenizerFast) -> MultilingualCLIP:
    """XLM-RoBERTa, mean and linear map, small."""
    config = MCLIPConfig(
        numDims=EMBEDDING,
        transformerDimensions=WIDTH,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_attention_heads=4,
        num_hidden_layers=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=514,
        type_vocab_size=1,
        pad_token_id=1,
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return MultilingualCLIP(config)


def fit(data: Dataset, codes: Tensor, vocabulary: Path, run: Run) -> None:
    """Train for SCHEDULE, or what of it is left in the run's folder. `codes` (N, EMBEDDING) are the dataset's."""
    tokenizer = xlmr_tokenizer(vocabulary)
    encoder = model(tokenizer).to(run.device)
    named = data.named

    def losses(rng: np.random.Generator) -> Losses:
        rows = rng.choice(named, run.batch_factor * BATCH)
        saids = [random_said(said_by(data.labels[row]), rng) for row in rows]
        captions = [in_some_words(said, rng) for said in saids]
        batch = tokenizer(captions, padding="longest", return_tensors="pt").to(run.device)
        embeds = encoder(batch.input_ids, batch.attention_mask)[0]
        said = np.array([labels_of(said) for said in saids])
        return {"loss": telling_error(embeds, codes[rows].to(run.device), said)}

    train(encoder, losses, SCHEDULE, run)


def load(folder: Path, vocabulary: Path) -> MultilingualCLIP:
    """The trained encoder."""
    return trained(model(xlmr_tokenizer(vocabulary)), folder)


@torch.no_grad()
def encode(
    encoder: MultilingualCLIP, tokenizer: PreTrainedTokenizerFast, captions: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Embeddings (N, EMBEDDING) and hidden states (N, 77, WIDTH), as the pipeline has them."""
    batch = tokenizer(
        list(captions), padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt"
    ).to(next(encoder.parameters()).device)
    embeds, hidden = encoder(batch.input_ids, batch.attention_mask)
    return embeds, hidden
