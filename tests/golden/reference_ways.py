"""The pipelines that redraw pictures as the reference has them where it is wrong: only tests compare with these."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kandinsky_backend.pipelines import KandinskyImg2ImgPipeline, KandinskyInpaintPipeline
from kandinsky_backend.pipelines.decoder import Call
from kandinsky_backend.sampling import Array, Course, KnownRegion
from kandinsky_backend.schedulers import DDPMScheduler


class ReferenceImg2Img(KandinskyImg2ImgPipeline):
    """Adds noise of other betas than the decoder was trained with, at a timestep of the strength."""

    def _noised(self, latents: Array, noise: Array, call: Call, course: Course, strength: float) -> Array:
        other = DDPMScheduler(beta_start=0.0001, beta_end=0.02)
        return other.add_noise(latents, noise, int(other.config.num_train_timesteps * strength) - 2)


class ReferenceInpaint(KandinskyInpaintPipeline):
    """Looks at the upper left pixel of each cell only, grows lopsidedly, and keeps nothing."""

    def _repainted(self, masks: Array, shape: tuple[int, ...]) -> Array:
        factor = self.movq_scale_factor
        return np.float32(1) - prepared(np.float32(1) - masks[:, :, ::factor, ::factor])

    def _course(self, shown: KnownRegion) -> Course:
        return Course()

    def _pasted(self, made: Array, pixels: Array, masks: Array) -> Array:
        return made


def prepared(keep: Array) -> Array:
    """`prepare_mask` of pipeline_kandinsky_inpaint.py: what is not kept grows to six of its eight neighbours."""
    paint = keep == 0
    shifts = [(0, 0), (-1, 0), (0, -1), (-1, -1), (1, 0), (0, 1), (1, 1)]
    return (~np.logical_or.reduce([_shifted(paint, *shift) for shift in shifts])).astype(np.float32)


def _shifted(cells: npt.NDArray[np.bool_], down: int, right: int) -> npt.NDArray[np.bool_]:
    height, width = cells.shape[-2:]
    framed = np.pad(cells, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return framed[..., 1 - down : 1 - down + height, 1 - right : 1 - right + width]
