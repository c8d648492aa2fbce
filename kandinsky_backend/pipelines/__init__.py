"""Kandinsky's pipelines: the API of mindone.diffusers, and the pieces that a blend is made of.

Parameters, defaults and results are those of diffusers 0.39 (pipelines/kandinsky/pipeline_kandinsky*.py) and
of its port mindone.diffusers, where these two differ those of the latter; what is a bug there is none here, and
test_api.py and test_redrawing.py in tests/backend/pipelines name each.

Models run on the device; what is between them, latents above all, is float32 on the host (sampling.py).
"""

from __future__ import annotations

from kandinsky_backend.pipelines.auto import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    DiffusionPipeline,
)
from kandinsky_backend.pipelines.combined import (
    KandinskyCombinedPipeline,
    KandinskyImg2ImgCombinedPipeline,
    KandinskyInpaintCombinedPipeline,
)
from kandinsky_backend.pipelines.decoder import KandinskyPipeline
from kandinsky_backend.pipelines.outputs import ImagePipelineOutput, KandinskyPriorPipelineOutput
from kandinsky_backend.pipelines.prior import KandinskyPriorPipeline
from kandinsky_backend.pipelines.redrawing import KandinskyImg2ImgPipeline, KandinskyInpaintPipeline

__all__ = [
    "AutoPipelineForImage2Image",
    "AutoPipelineForInpainting",
    "AutoPipelineForText2Image",
    "DiffusionPipeline",
    "ImagePipelineOutput",
    "KandinskyCombinedPipeline",
    "KandinskyImg2ImgCombinedPipeline",
    "KandinskyImg2ImgPipeline",
    "KandinskyInpaintCombinedPipeline",
    "KandinskyInpaintPipeline",
    "KandinskyPipeline",
    "KandinskyPriorPipeline",
    "KandinskyPriorPipelineOutput",
]
