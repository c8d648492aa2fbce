"""The training pictures, drawn once and kept in a folder as plain arrays that are mapped, not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from .scenes import COLOURS, COUNTS, PALETTE, SHAPES, SIZE, TEXTURES, Scene, draw, random_mixed_scene, random_scene

Pixels = npt.NDArray[np.uint8]  # (N, height, width, RGB)
Labels = npt.NDArray[np.int64]  # (N, 5), one column a name of LABELS

CLIP_SIZE = 64  # px; what the image encoder sees
MIXED_SHARE = 0.4  # of the pictures have colours between those of the palette
LABELS = ("shape", "colour", "ground", "count", "texture")
UNNAMED = -1  # the label of a colour that is not in the palette


@dataclass(frozen=True)
class Dataset:
    """N `pictures` of 128 px, the same `small` at 64 px, their `labels`, and `colours` (N, 6): the RGB in 0..1 of
    the marks, then of the ground."""

    pictures: Pixels
    small: Pixels
    labels: Labels
    colours: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def named(self) -> npt.NDArray[np.int64]:
        """Rows whose colours have names: those that a caption can describe."""
        return np.flatnonzero((self.labels != UNNAMED).all(1))

    @property
    def unnamed(self) -> npt.NDArray[np.int64]:
        """The other rows."""
        return np.flatnonzero((self.labels == UNNAMED).any(1))


def build(folder: Path, size: int, seed: int, processes: int = 2) -> None:
    """Draw `size` pictures into `folder`; row i depends on `seed` and i alone."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _mapped(folder / "pictures.npy", (size, SIZE, SIZE, 3))
    small = _mapped(folder / "small.npy", (size, CLIP_SIZE, CLIP_SIZE, 3))
    labels, colours = np.empty((size, len(LABELS)), np.int64), np.empty((size, 6), np.float32)
    with Pool(processes) as pool:
        rows = pool.imap(_row, ((seed, i) for i in range(size)), chunksize=256)
        for i, (picture, thumbnail, label, colour) in enumerate(rows):
            pictures[i], small[i], labels[i], colours[i] = picture, thumbnail, label, colour
    np.save(folder / "labels.npy", labels)
    np.save(folder / "colours.npy", colours)


def _mapped(path: Path, shape: tuple[int, ...]) -> Pixels:
    """A new array on the disk."""
    array: Pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
    return array


def load(folder: Path) -> Dataset:
    """What `build` left in `folder`."""
    names = ("pictures", "small", "labels", "colours")
    return Dataset(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in names))


def _row(
    seed_and_index: tuple[int, int],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], list[int], list[float]]:
    rng = np.random.default_rng(seed_and_index)
    scene = random_mixed_scene(rng) if rng.random() < MIXED_SHARE else random_scene(rng)
    picture = draw(scene)
    thumbnail = picture.resize((CLIP_SIZE, CLIP_SIZE), Image.Resampling.BICUBIC)
    colours = [c / 255 for c in (*scene.colour, *scene.ground)]
    return np.asarray(picture), np.asarray(thumbnail), label(scene), colours


def label(scene: Scene) -> list[int]:
    """The scene's row of labels."""
    names = {rgb: COLOURS.index(name) for name, rgb in PALETTE.items()}
    return [
        SHAPES.index(scene.shape),
        names.get(scene.colour, UNNAMED),
        names.get(scene.ground, UNNAMED),
        COUNTS.index(scene.count),
        TEXTURES.index(scene.texture),
    ]
