"""The two pipelines of a model as a blend uses them. Those of every family that blends have these members."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from PIL import Image

from kandinsky_backend.residency import Resident
from kandinsky_backend.sampling import WHOLE, Array, Course, KnownRegion, Steps, TextConditioning
from kandinsky_backend.schedulers import RandomGenerator, Scheduler

Parts = tuple[Resident[Any], ...]


class ImagePrior(Protocol):
    """Embeds prompts and pictures: image embeddings (1, D) float32. Raises CheckpointError when a file is broken."""

    scheduler: Scheduler

    def step_count(self, num_inference_steps: int) -> int:
        """The number of steps that `denoise` takes when so many are asked for."""

    @property
    def embedding_dim(self) -> int:
        """D, the width of an image embedding."""

    @property
    def image_size(self) -> int:
        """Side in px of the square that `encode_image` takes."""

    @property
    def parts_of_text(self) -> Parts:
        """The models that `encode_guided` needs."""

    @property
    def parts_of_sampling(self) -> Parts:
        """The models that `denoise` and `to_embeds` need."""

    @property
    def parts_of_image(self) -> Parts:
        """The models that `encode_image` and `zero_embeds` need."""

    def truncated_text(self, text: str) -> str:
        """The end of a prompt that is not read, or ""."""

    def encode_guided(
        self, prompts: Sequence[str], negatives: Sequence[str], copies: int, guidance_scale: float
    ) -> TextConditioning:
        """The conditioning of `denoise`: `copies` rows a prompt, under guidance after as many a negative."""

    def denoise(
        self,
        conditioning: TextConditioning,
        latents: Array,
        *,
        generator: RandomGenerator,
        num_inference_steps: int,
        guidance_scale: float,
    ) -> Steps:
        """Denoise latents (B, D) step by step."""

    def to_embeds(self, latents: Array) -> Array:
        """Image embeddings (B, D) of denoised latents (B, D)."""

    def encode_image(self, image: Image.Image) -> Array:
        """The embedding (1, D) of a square picture."""

    def zero_embeds(self, count: int) -> Array:
        """The embedding of no picture at all, (count, D)."""


class ImageDecoder(Protocol):
    """Makes pictures of image embeddings. Raises CheckpointError when a file is broken."""

    scheduler: Scheduler

    def with_scheduler(self, scheduler: Scheduler) -> ImageDecoder:
        """The same decoder with another scheduler; they share their models."""

    def step_count(self, num_inference_steps: int) -> int:
        """The number of steps that `denoise` takes when so many are asked for."""

    @property
    def parts_of_text(self) -> Parts:
        """The models that `encode_prompt` needs; none where the decoder reads no text, and then it is not called."""

    @property
    def parts_of_denoising(self) -> Parts:
        """The models that `denoise` needs."""

    @property
    def parts_of_decoding(self) -> Parts:
        """The models that `decode` needs."""

    @property
    def decodes_while_denoising(self) -> bool:
        """True if `decode` between two steps leaves the models of `denoise` in memory."""

    def truncated_text(self, text: str) -> str:
        """The end of a prompt that is not read, or ""; not called where the decoder reads no text."""

    def encode_prompt(self, texts: Sequence[str]) -> TextConditioning:
        """The text encoder's output, a row a text."""

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
        course: Course = WHOLE,
        shown: KnownRegion | None = None,
    ) -> Steps:
        """Denoise latents (B, C, h, w) towards image embeddings (B, D), step by step.

        `conditioning` is of 2 * B texts under guidance, else of B; None where the decoder reads no text. `course` and
        `shown`, what a model for inpainting sees of a picture, are given where a picture is redrawn only.
        """

    def prepare_ahead(self, height: int, width: int, guidance_scale: float, is_over: Callable[[], bool]) -> None:
        """Do now what the first `denoise` and `decode` of such a picture would, in a thread ahead of the drawing one.

        It ends, by whatever error, soon after `is_over` says that nobody wants it any more.
        """

    def decode(self, latents: Array) -> Array:
        """Pictures (B, H, W, 3) in 0..1 of latents (B, C, h, w)."""

    def foresee(self, height: int, width: int, guidance_scale: float) -> None:
        """Let the models that are not loaded yet count with the memory that they will take for such a picture."""

    def bytes_of_decoding(self, height: int, width: int) -> int:
        """Bytes that decoding a picture of `height` x `width` px takes beyond the models and what is reserved."""

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(C, h, w) of the latents of a picture of at least `height` x `width` px."""

    # --- of families that redraw pictures ("refine", "repaint", "upscale" among their jobs) -------------------

    @property
    def movq_scale_factor(self) -> int:
        """f, px of a side of a latent pixel; `encode` takes sides that are multiples of f, `denoise` needs f * f."""

    @property
    def is_for_inpainting(self) -> bool:
        """True if the model that denoises looks at what it is shown."""

    def encode(self, pixels: Array) -> Array:
        """Latents (B, C, h, w) of pixels (B, 3, H, W) in -1..1, with the models of `decode`."""

    def noised(self, latents: Array, noise: Array, num_inference_steps: int, first: int) -> Array:
        """Latents with the noise of the level at which step `first` of a run begins."""
