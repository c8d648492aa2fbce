"""CLIP: captions and pictures in one space, both near the codes of the scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizerFast,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from .captions import Said, in_some_words, random_said
from .codes import EMBEDDING, GAIN, PARTS, telling_error, told
from .dataset import CLIP_SIZE, UNNAMED, Dataset, Labels, Pixels
from .loop import Losses, Run, Schedule, train, trained
from .scenes import COLOURS, COUNTS, SHAPES, TEXTURES
from .vocabularies import CONTEXT, clip_tokenizer

WIDTH = EMBEDDING  # the prior takes the text's hidden states as it takes embeddings
SCHEDULE = Schedule(steps=4000, learning_rate=2e-3)
NAMED_BATCH, MIXED_BATCH = 64, 24  # pictures a step: those with captions, and those whose colours have no names
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def text_model(tokenizer: CLIPTokenizerFast) -> CLIPTextModelWithProjection:
    """The text half."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=EMBEDDING,
        num_hidden_layers=2,
        num_attention_heads=4,
        hidden_act="quick_gelu",
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModelWithProjection(config)


def vision_model() -> CLIPVisionModelWithProjection:
    """The picture half."""
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        projection_dim=EMBEDDING,
        num_hidden_layers=3,
        num_attention_heads=4,
        patch_size=8,
        image_size=CLIP_SIZE,
        hidden_act="quick_gelu",
    )
    vision = CLIPVisionModelWithProjection(config)
    with torch.no_grad():
        vision.vision_model.embeddings.position_embedding.weight[1:] = _places_in_waves(CLIP_SIZE // 8)
    return vision


def _places_in_waves(side: int) -> Tensor:
    """Sines and cosines of row and column, (side * side, WIDTH): a start from which places are learnt faster."""
    frequencies = torch.pi / side * torch.arange(1, WIDTH // 8 + 1)
    angles = (torch.arange(side)[:, None] + 0.5) * frequencies
    waves = torch.cat([angles.sin(), angles.cos()], 1)
    rows, columns = waves.repeat_interleave(side, 0), waves.repeat(side, 1)
    return 0.2 * torch.cat([rows, columns], 1).repeat(1, 2)


def to_pixels(small: Pixels) -> Tensor:
    """uint8 (B, 64, 64, 3) -> what the image encoder takes, (B, 3, 64, 64)."""
    pixels = torch.from_numpy(np.ascontiguousarray(small)).permute(0, 3, 1, 2).float() / 255
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def no_picture() -> Tensor:
    """The tensor of zeros that the pipelines encode where no negative is given, (1, 3, 64, 64)."""
    return torch.zeros(1, 3, CLIP_SIZE, CLIP_SIZE)


def said_by(labels: Labels) -> Said:
    """A dataset row's labels -> the names that a caption may use."""
    shape, colour, ground, count, texture = labels
    return Said(SHAPES[shape], COLOURS[colour], COLOURS[ground], COUNTS[count], TEXTURES[texture])


def labels_of(said: Said) -> list[int]:
    """The inverse of `said_by`; UNNAMED where nothing is said."""
    columns = zip(
        (said.shape, said.colour, said.ground, said.count, said.texture),
        (SHAPES, COLOURS, COLOURS, COUNTS, TEXTURES),
        strict=True,
    )
    return [names.index(name) if name else UNNAMED for name, names in columns]


def tokens(tokenizer: CLIPTokenizerFast, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Ids and mask (B, longest). Attention is causal and pads are masked, so padding on to 77 would change nothing."""
    batch = tokenizer(list(captions), padding="longest", truncation=True, return_tensors="pt")
    return batch.input_ids, batch.attention_mask


class Trainee(nn.Module):
    """Both halves and the temperature."""

    def __init__(self, tokenizer: CLIPTokenizerFast) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.text, self.vision = text_model(tokenizer), vision_model()
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    @property
    def device(self) -> torch.device:
        return self.log_scale.device

    def losses(self, small: Pixels, labels: Labels, codes: Tensor, captioned: int, rng: np.random.Generator) -> Losses:
        """The first `captioned` rows get captions; the rest have colours without names.

        A picture should lie at its code, and a caption tell of it what it says. No picture should tell nothing.
        """
        pixels = torch.cat([to_pixels(small), no_picture()]).to(self.device)
        images = self.vision(pixel_values=pixels).image_embeds
        saids = [random_said(said_by(row), rng) for row in labels[:captioned]]
        said = np.array([labels_of(s) for s in saids])
        texts = self._embed_captions(saids, rng)
        contrast, correct = self._contrast(images[:captioned], texts, _true(said, labels[:captioned]).to(self.device))
        shown = (told(images) - told(functional.pad(codes, (0, 0, 0, 1)))).square()
        written = telling_error(texts, codes[:captioned], said)
        outside = images.square().sum(1).mean() - GAIN**2 * told(images).square().sum(1).mean()
        parts = dict(zip(PARTS, (part.mean() for part in shown.split(list(PARTS.values()), dim=1)), strict=True))
        loss = shown.mean() + shown[-1].mean() + written + 0.1 * contrast + 0.01 * outside
        return {"loss": loss, "contrast": contrast, "correct": correct, "written": written, **parts}

    def _embed_captions(self, saids: Sequence[Said], rng: np.random.Generator) -> Tensor:
        ids, mask = tokens(self.tokenizer, [in_some_words(said, rng) for said in saids])
        return self.text(input_ids=ids.to(self.device), attention_mask=mask.to(self.device)).text_embeds

    def _contrast(self, images: Tensor, texts: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
        """Cross-entropy both ways, and the share of pictures whose nearest caption is true.

        Several captions can be true of a picture: they share the target equally.
        """
        logits = self.log_scale.exp() * functional.normalize(images) @ functional.normalize(texts).T
        loss = _soft_cross_entropy(logits, true) + _soft_cross_entropy(logits.T, true.T)
        return loss / 2, true[torch.arange(len(true)), logits.argmax(1)].mean()


def _true(said: Labels, labels: Labels) -> Tensor:
    """1 where caption j is true of picture i, else 0, (B, B)."""
    return torch.from_numpy(((said == labels[:, None]) | (said == UNNAMED)).all(-1)).float()


def _soft_cross_entropy(logits: Tensor, weights: Tensor) -> Tensor:
    return -(weights / weights.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()


def fit(data: Dataset, codes: Tensor, vocabulary: Path, run: Run) -> None:
    """Train for SCHEDULE, or what of it is left in the run's folder. `codes` (N, EMBEDDING) are the dataset's."""
    trainee = Trainee(clip_tokenizer(vocabulary)).to(run.device)
    named, unnamed = data.named, data.unnamed
    captioned, others = (run.batch_factor * size for size in (NAMED_BATCH, MIXED_BATCH))

    def losses(rng: np.random.Generator) -> Losses:
        rows = np.concatenate([rng.choice(named, captioned), rng.choice(unnamed, others)])
        return trainee.losses(data.small[rows], data.labels[rows], codes[rows].to(run.device), captioned, rng)

    train(trainee, losses, SCHEDULE, run)


def load(folder: Path, vocabulary: Path) -> Trainee:
    """Both halves, trained."""
    return trained(Trainee(clip_tokenizer(vocabulary)), folder)


@torch.no_grad()
def embed_pictures(vision: CLIPVisionModelWithProjection, small: Pixels, batch: int = 256) -> Tensor:
    """uint8 (N, 64, 64, 3) -> (N, EMBEDDING)."""
    rows = range(0, len(small), batch)
    return torch.cat(
        [vision(pixel_values=to_pixels(small[i : i + batch]).to(vision.device)).image_embeds.cpu() for i in rows]
    )
