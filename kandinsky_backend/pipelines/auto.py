"""Pipelines by task, as diffusers' AutoPipelines, and by what a checkpoint says of itself, as its DiffusionPipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from kandinsky_backend.checkpoint import one_config
from kandinsky_backend.errors import CheckpointBroken
from kandinsky_backend.pipelines.base import Pipeline
from kandinsky_backend.pipelines.combined import (
    CombinedPipeline,
    KandinskyCombinedPipeline,
    KandinskyImg2ImgCombinedPipeline,
    KandinskyInpaintCombinedPipeline,
)
from kandinsky_backend.pipelines.decoder import KandinskyPipeline
from kandinsky_backend.pipelines.prior import KandinskyPriorPipeline
from kandinsky_backend.pipelines.redrawing import KandinskyImg2ImgPipeline, KandinskyInpaintPipeline


class AutoPipeline:
    """A task, which is done with one pipeline or, where that is made of its decoder alone, with another."""

    combined: ClassVar[type[CombinedPipeline]]
    decoder: ClassVar[type[Pipeline]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        name = type(self).__name__
        raise OSError(f"{name} is made with {name}.from_pretrained or {name}.from_pipe")  # the reference's kind

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> Any:
        """The combined pipeline of a decoder's checkpoint and its prior's: see CombinedPipeline.from_pretrained."""
        return cls.combined.from_pretrained(pretrained_model_name_or_path, **options)

    @classmethod
    def from_pipe(cls, pipeline: Pipeline, **components: Any) -> Any:
        """The task's pipeline that shares the components of another, which is combined where that one is.

        Raises:
            ValueError: a component is missing.
        """
        kind = cls.combined if isinstance(pipeline, CombinedPipeline) else cls.decoder
        return kind.from_pipe(pipeline, **components)


class AutoPipelineForText2Image(AutoPipeline):
    """From prompts to pictures."""

    combined = KandinskyCombinedPipeline
    decoder = KandinskyPipeline


class AutoPipelineForImage2Image(AutoPipeline):
    """From prompts and pictures to pictures that look like both."""

    combined = KandinskyImg2ImgCombinedPipeline
    decoder = KandinskyImg2ImgPipeline


class AutoPipelineForInpainting(AutoPipeline):
    """From prompts, pictures and masks to pictures that are new where the masks are white.

    The UNet's config says whether it is one for inpainting, and any UNet will do: no class name matters.
    """

    combined = KandinskyInpaintCombinedPipeline
    decoder = KandinskyInpaintPipeline


class DiffusionPipeline:
    """The pipeline that a checkpoint's model_index.json names."""

    known: ClassVar[dict[str, type[Pipeline]]] = {
        kind.__name__: kind
        for kind in (
            KandinskyPriorPipeline,
            KandinskyPipeline,
            KandinskyImg2ImgPipeline,
            KandinskyInpaintPipeline,
            KandinskyCombinedPipeline,
            KandinskyImg2ImgCombinedPipeline,
            KandinskyInpaintCombinedPipeline,
        )
    }

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> Any:
        """See Pipeline.from_pretrained.

        Raises:
            CheckpointError: it names another pipeline; or as of Pipeline.from_pretrained.
        """
        of_hub = {name: options[name] for name in ("revision", "cache_dir", "token") if name in options}
        offline = bool(options.get("local_files_only"))
        index = one_config(pretrained_model_name_or_path, "model_index.json", local_files_only=offline, **of_hub)
        name = str(index.get("_class_name"))
        if name not in cls.known:
            raise CheckpointBroken(
                "{source} is for the pipeline {name!r}: only {known} are implemented",
                "unknown-pipeline",
                source=str(pretrained_model_name_or_path),
                name=name,
                known=", ".join(cls.known),
            )
        return cls.known[name].from_pretrained(pretrained_model_name_or_path, **options)
