"""Where each picture should lie in CLIP's space: known, because our own program drew it.

A scene's code holds its shape, its two colours, its number, its texture and where its marks are, each a plain number of
mean 0 and variance 1, turned by a fixed rotation into EMBEDDING dimensions. CLIP's two halves learn to find it from
pixels and from words; the prior and the decoder learn from it directly, without waiting for CLIP. Colours enter
linearly, so the middle of two codes is the code of the middle colour, and a sum of embeddings means something.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from .dataset import LABELS, UNNAMED, Dataset, Labels
from .scenes import COUNTS, SHAPES, TEXTURES

EMBEDDING = 96
CELLS = 4  # the places of the marks are told on a grid of 4 x 4
# Name of what is told -> how many numbers tell it.
PARTS = {
    "shape": len(SHAPES),
    "colour": 3,
    "ground": 3,
    "count": len(COUNTS),
    "texture": len(TEXTURES),
    "places": CELLS**2,
}
SIZE = sum(PARTS.values())
GAIN = (EMBEDDING / SIZE) ** 0.5  # keeps the variance of each dimension of the embedding near 1


def attributes(data: Dataset) -> Tensor:
    """The unscaled numbers of every row, (N, SIZE)."""
    labels = torch.from_numpy(np.array(data.labels))
    named = {name: labels[:, i] for i, name in enumerate(LABELS)}
    colours = torch.from_numpy(np.array(data.colours))
    return torch.cat(
        [
            one_hot(named["shape"], len(SHAPES)),
            colours,
            one_hot(named["count"], len(COUNTS)),
            one_hot(named["texture"], len(TEXTURES)),
            torch.from_numpy(_places(data)),
        ],
        dim=1,
    ).float()


def _places(data: Dataset) -> npt.NDArray[np.float32]:
    """How much of each cell the marks cover, (N, 16): each pixel's place on the line from the ground's colour to the
    mark's."""
    cell = data.small.shape[1] // CELLS
    cells = [
        block.astype(np.float32).reshape(-1, CELLS, cell, CELLS, cell, 3).mean((2, 4)) / 255
        for block in np.array_split(data.small, 64)
    ]
    colour, ground = data.colours[:, :3], data.colours[:, 3:]
    line = colour - ground
    length = np.maximum((line**2).sum(1), 0.03)  # two nearly equal colours do not show where the marks are
    position = ((np.concatenate(cells) - ground[:, None, None]) * line[:, None, None]).sum(-1) / length[:, None, None]
    return position.clip(0, 1).reshape(len(position), -1).astype(np.float32)


def standardised(numbers: Tensor) -> Tensor:
    """Mean 0 and variance 1 in each column."""
    return (numbers - numbers.mean(0)) / numbers.std(0)


@cache
def rotation(device: torch.device) -> Tensor:
    """SIZE orthonormal rows of EMBEDDING."""
    generator = torch.Generator().manual_seed(0)
    return torch.linalg.qr(torch.randn(EMBEDDING, SIZE, generator=generator)).Q.T.to(device)


def codes(data: Dataset) -> Tensor:
    """Where each row belongs in CLIP's space, (N, EMBEDDING)."""
    return GAIN * standardised(attributes(data)) @ rotation(torch.device("cpu"))


def told(embeds: Tensor) -> Tensor:
    """Embeddings (B, EMBEDDING) -> the standardised numbers that they tell, (B, SIZE)."""
    return embeds @ rotation(embeds.device).T / GAIN


def told_mask(said: Labels) -> Tensor:
    """Labels that a caption says (B, 5) -> which numbers it tells, (B, SIZE); places are never said."""
    columns = [
        np.repeat(said[:, [LABELS.index(name)]] != UNNAMED, width, 1)
        if name in LABELS
        else np.zeros((len(said), width), bool)
        for name, width in PARTS.items()
    ]
    return torch.from_numpy(np.concatenate(columns, 1)).float()


def telling_error(texts: Tensor, codes: Tensor, said: Labels) -> Tensor:
    """Squared error of captions' embeddings: they should tell what is said of the codes, and 0 for the rest."""
    return (told(texts) - told(codes) * told_mask(said).to(texts.device)).square().mean()
