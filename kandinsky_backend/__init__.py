"""Kandinsky 2.1 on MindSpore: models, pipelines, blends. Knows tensors, not sockets."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kandinsky_backend.pipelines import (
        AutoPipelineForImage2Image,
        AutoPipelineForInpainting,
        AutoPipelineForText2Image,
        DiffusionPipeline,
        KandinskyCombinedPipeline,
        KandinskyImg2ImgCombinedPipeline,
        KandinskyImg2ImgPipeline,
        KandinskyInpaintCombinedPipeline,
        KandinskyInpaintPipeline,
        KandinskyPipeline,
        KandinskyPriorPipeline,
    )
    from kandinsky_backend.schedulers import (
        DDIMScheduler,
        DDPMScheduler,
        DPMSolverMultistepScheduler,
        UnCLIPScheduler,
        UniPCMultistepScheduler,
    )

_MODULES = {
    "AutoPipelineForImage2Image": "pipelines",
    "AutoPipelineForInpainting": "pipelines",
    "AutoPipelineForText2Image": "pipelines",
    "DDIMScheduler": "schedulers",
    "DDPMScheduler": "schedulers",
    "DPMSolverMultistepScheduler": "schedulers",
    "DiffusionPipeline": "pipelines",
    "KandinskyCombinedPipeline": "pipelines",
    "KandinskyImg2ImgCombinedPipeline": "pipelines",
    "KandinskyImg2ImgPipeline": "pipelines",
    "KandinskyInpaintCombinedPipeline": "pipelines",
    "KandinskyInpaintPipeline": "pipelines",
    "KandinskyPipeline": "pipelines",
    "KandinskyPriorPipeline": "pipelines",
    "UnCLIPScheduler": "schedulers",
    "UniPCMultistepScheduler": "schedulers",
}

__all__ = [
    "AutoPipelineForImage2Image",
    "AutoPipelineForInpainting",
    "AutoPipelineForText2Image",
    "DDIMScheduler",
    "DDPMScheduler",
    "DPMSolverMultistepScheduler",
    "DiffusionPipeline",
    "KandinskyCombinedPipeline",
    "KandinskyImg2ImgCombinedPipeline",
    "KandinskyImg2ImgPipeline",
    "KandinskyInpaintCombinedPipeline",
    "KandinskyInpaintPipeline",
    "KandinskyPipeline",
    "KandinskyPriorPipeline",
    "UnCLIPScheduler",
    "UniPCMultistepScheduler",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: MindSpore takes 2 s to import, and pictures do not need it."""
    if name in _MODULES:
        return getattr(import_module(f"kandinsky_backend.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
