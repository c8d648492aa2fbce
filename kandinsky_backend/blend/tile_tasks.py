"""The tasks of an upscaling: all tiles go through one model before the next, so that each is loaded once."""

from __future__ import annotations

from typing import Any

import numpy as np

from kandinsky_backend.blend.roles import Parts
from kandinsky_backend.blend.tasks import Denoise, Task, Workspace
from kandinsky_backend.blend.upscaling import Tile, Upscaling
from kandinsky_backend.sampling import Array, Course
from kandinsky_backend.schedulers import draw_noise


class EncodeTiles(Task):
    """Make latents of the tiles of a picture that is upscaled, one after another."""

    stage = "encoding"

    def __init__(self, space: Workspace, upscaling: Upscaling) -> None:
        super().__init__(space)
        self.upscaling = upscaling
        self.units = len(upscaling.tiles)
        self.latents: dict[Tile, Array] = {}  # (1, C, h, w)

    @property
    def parts(self) -> Parts:
        return self.space.decoder.parts_of_decoding

    def start(self) -> None:
        channels, *_ = self.space.decoder.latent_shape(self.upscaling.height, self.upscaling.width)
        self._seen = np.zeros((1, channels, *self.upscaling.canvas_cells), np.float32)

    def advance(self) -> None:
        tile = self.upscaling.tiles[len(self.latents)]
        self.latents[tile] = self.space.decoder.encode(self.upscaling.pixels(tile))
        self.see(tile, self.latents[tile])

    def see(self, tile: Tile, latents: Array) -> Array:
        """The latents of the whole picture, now that a tile has these."""
        self._seen[(..., *self.upscaling.cells(tile))] = latents
        return self.upscaling.of_result(self._seen).copy()


class DenoiseTile(Denoise):
    """Denoise the noised latents of one tile of a picture."""

    def __init__(self, space: Workspace, variation: int, encoded: EncodeTiles, tile: Tile) -> None:
        super().__init__(space, variation)
        self.encoded = encoded
        self.tile = tile
        self.first = space.first_step()
        self.units -= self.first

    def advance(self) -> Array:
        return self.encoded.see(self.tile, super().advance())

    def _random_numbers(self) -> np.random.Generator:
        return self.encoded.upscaling.random_numbers(self.tile, super()._random_numbers())

    def _first_latents(self, generator: np.random.Generator) -> Array:
        latents = self.encoded.latents[self.tile]
        noise = draw_noise(latents.shape, generator)
        return self.space.decoder.noised(latents, noise, self.space.request.settings.steps, self.first)

    def _course(self) -> dict[str, Any]:
        return {"course": Course(self.first)}


class DecodeTiles(Task):
    """Make the picture of the denoised latents of its tiles, one after another."""

    stage = "decoding"

    def __init__(self, space: Workspace, upscaling: Upscaling, denoised: list[DenoiseTile]) -> None:
        super().__init__(space)
        self.upscaling = upscaling
        self.left = denoised
        self.units = len(denoised)
        self.variation = denoised[0].variation

    @property
    def parts(self) -> Parts:
        return self.space.decoder.parts_of_decoding

    def start(self) -> None:
        width, height = self.upscaling.canvas_size
        self._mosaic = np.zeros((height, width, 3), np.float32)

    def advance(self) -> None:
        denoised, *self.left = self.left
        assert denoised.latents is not None, "the latents are denoised first"
        [drawn] = self.space.decoder.decode(denoised.latents)
        self.upscaling.add(self._mosaic, denoised.tile, drawn)
        if not self.left:
            self.image = self.upscaling.result(self._mosaic)
            del self._mosaic  # as large as four pictures, and the next variation makes one of its own
