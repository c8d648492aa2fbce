"""A second family of models, such as Kandinsky 2.2 will be: its decoder has no text encoder, and no UNet of ours."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from mindspore import Tensor, nn

from kandinsky_backend.families import KANDINSKY_2_1, REFERENCE, Family
from kandinsky_backend.models import movq
from kandinsky_backend.pipelines import KandinskyPriorPipeline
from kandinsky_backend.pipelines.base import ModelFiles, Pipeline, scheduler_of, to_host
from kandinsky_backend.residency import Resident
from kandinsky_backend.sampling import Steps, TextConditioning, denoise
from kandinsky_backend.schedulers import RandomGenerator, Scheduler

Array = npt.NDArray[np.float32]


class ToyPrior(KandinskyPriorPipeline):
    """The prior of 2.1 under the name of another family's."""


class ToyDecoder(Pipeline):
    """Denoises towards a plane of the image embedding's first values, and decodes with a MoVQ."""

    _models: ClassVar = {"movq": ModelFiles(movq.MoVQ, movq.MoVQConfig, renames=movq.RENAMED_LEAVES)}
    _others: ClassVar = {"scheduler": scheduler_of}
    parts_of_text = ()
    parts_of_denoising = ()
    decodes_while_denoising = True

    def __init__(self, movq: Any, scheduler: Scheduler) -> None:
        super().__init__(scheduler, movq=movq)

    @property
    def parts_of_decoding(self) -> tuple[Resident[nn.Cell], ...]:
        return (self._parts["movq"].resident,)

    def bytes_of_decoding(self, height: int, width: int) -> int:
        part = self._parts["movq"]
        return movq.bytes_of_decoding(part.config, part.dtype, height, width)

    def truncated_text(self, text: str) -> str:
        raise AssertionError("this decoder reads no text")

    def encode_prompt(self, texts: object) -> TextConditioning:
        raise AssertionError("this decoder reads no text")

    def denoise(
        self,
        conditioning: TextConditioning | None,
        image_embeds: Array,
        negative_image_embeds: Array,
        latents: Array,
        *,
        generator: RandomGenerator,
        num_inference_steps: int,
        guidance_scale: float,
    ) -> Steps:
        assert conditioning is None
        plane = image_embeds[:, : latents.shape[1], None, None]
        return denoise(self._scheduler_for(num_inference_steps), lambda latents, _: latents - plane, latents, generator)

    def decode(self, latents: Array) -> Array:
        pixels = to_host(self._get("movq").decode(Tensor(latents)))
        return (pixels * 0.5 + 0.5).clip(0, 1).transpose(0, 2, 3, 1)

    def prepare_ahead(self, height: int, width: int, guidance_scale: float, is_over: Callable[[], bool]) -> None:
        """A toy is ready at once."""

    def foresee(self, height: int, width: int, guidance_scale: float) -> None:
        """What is known of a toy from its files is all."""

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        return 4, -(-height // 8), -(-width // 8)


def _repositories(hub_id: str) -> Mapping[str, str] | None:
    return {part: f"{hub_id}-{part}" for part in ("prior", "decoder")} if "toy" in hub_id else None


TOY = Family(
    name="toy",
    pipelines={
        "prior": "tests.backend.toy_family:ToyPrior",
        "decoder": "tests.backend.toy_family:ToyDecoder",
    },
    components={"prior": KANDINSKY_2_1.components["prior"], "decoder": ("movq", "scheduler")},
    repositories=_repositories,
    jobs=("blend",),
    side=96,
    sampling=REFERENCE,
    published={"toy-1": "someone/toy-1"},
)


def write_toy_model(folder: Path, checkpoint: Path) -> None:
    """Write a model of the toy family, of the parts of a 2.1 checkpoint that it needs."""
    shutil.copytree(checkpoint / "prior", folder / "prior")
    for name in ("movq", "scheduler"):
        shutil.copytree(checkpoint / "decoder" / name, folder / "decoder" / name)
    for part, name in (("prior", "ToyPrior"), ("decoder", "ToyDecoder")):
        index = json.loads((checkpoint / part / "model_index.json").read_text()) | {"_class_name": name}
        (folder / part / "model_index.json").write_text(json.dumps(index))
