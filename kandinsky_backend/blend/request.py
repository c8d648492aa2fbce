"""The request for a blend: items with weights, and settings."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from PIL import Image

from kandinsky_backend.errors import BlendError, PictureError
from kandinsky_backend.images import Fit, check_not_too_narrow
from kandinsky_backend.sampling import Array
from plugin_client.wire.settings import BlendSettings


@dataclass(frozen=True)
class Text:
    """A prompt."""

    text: str
    weight: float


@dataclass(frozen=True)
class Picture:
    """A picture, RGB or RGBA, of any size. `fit` and `backdrop` say how it becomes the square that the model sees."""

    image: Image.Image
    weight: float
    fit: Fit = "crop"
    backdrop: tuple[int, int, int] = (255, 255, 255)
    label: str = ""


@dataclass(frozen=True)
class Embeds:
    """An image embedding (D,) float32, from a recipe."""

    values: Array
    weight: float
    label: str = ""


Item = Text | Picture | Embeds


@dataclass(frozen=True)
class BlendRequest:
    """All that a blend needs.

    `items` are one or more, where nothing else is said; their weights are finite numbers, which whoever takes a request
    from outside has checked. The settings' width and height are those of the picture in px, not 0; no steps and the
    sampler "auto" are left to the model; `model`, `model_hash` and `preview_every` are of no concern here. Variation n
    of a seed is the same picture whatever else is asked for.
    """

    items: tuple[Item, ...]
    settings: BlendSettings

    @property
    def weights(self) -> list[float]:
        """The weight of each item."""
        return [item.weight for item in self.items]

    @property
    def prompts(self) -> list[str]:
        """The prompts that the prior embeds: those of some weight, and the negative one."""
        texts = [item.text for item in self.items if isinstance(item, Text) and item.weight]
        return [*texts, self.settings.negative] if self.settings.negative else texts

    @property
    def variations(self) -> range:
        """The numbers of the pictures to be made."""
        return range(self.settings.variation, self.settings.variation + self.settings.count)


@dataclass(frozen=True)
class RefineRequest(BlendRequest):
    """A blend that starts from a picture instead of from noise.

    The settings' width and height are those that the model draws at, in px; 0 leaves both to the model. The results
    have the source's size, and its transparency where it has any. Without items, the source itself is what is drawn.

    Attributes:
        source: of any kind that `images.open_picture` takes.
        strength: 0 to 1, the share of the steps that run (`strength_steps`); 0 gives the source back.
    """

    source: Image.Image
    strength: float


@dataclass(frozen=True)
class RepaintRequest(BlendRequest):
    """A blend that is drawn into a part of a picture, and joins the rest of it.

    Sizes are as of a RefineRequest. Where the mask is 0, the results are bit for bit the source's (as 8-bit RGB, or
    RGBA where it has transparency). Without items, the surroundings of the mask are what is drawn: it removes what was
    there.

    Attributes:
        source: as of a RefineRequest.
        mask: mode L, of the source's size: 255 repaints, 0 keeps, and values between mix both.
        strength: as of a RefineRequest; below 1 what is under the mask shows through.
        resamplings: how often each step is done, noise added in between, so that what is new fits what is kept better
            (RePaint, arXiv:2201.09865); 1: once. Costs as much more time.
    """

    source: Image.Image
    mask: Image.Image
    strength: float = 1.0
    resamplings: int = 1


@dataclass(frozen=True)
class UpscaleRequest(BlendRequest):
    """A blend that adds detail to an enlarged picture, tile by tile.

    The settings' width and height are those of a tile, in px; 0 leaves both to the model. The results have the
    transparency of the source where it has any. Without items, the source itself is what is drawn.

    Attributes:
        source: as of a RefineRequest.
        size: width and height of the results in px, neither of them smaller than the source's.
        strength: as of a RefineRequest; 0 enlarges the source by Lanczos, and no more.
    """

    source: Image.Image
    size: tuple[int, int]
    strength: float


Redraw = RefineRequest | RepaintRequest | UpscaleRequest


def check(request: BlendRequest) -> None:
    """Refuse a request that no model can do.

    Raises:
        BlendError: a setting is out of its range, or a picture is a strip too narrow to be cropped.
    """
    redraws = isinstance(request, Redraw)
    for name in ("width", "height"):
        _check_least(name, getattr(request.settings, name), 0 if redraws else 1)
    for name in ("prior_steps", "count"):
        _check_least(name, getattr(request.settings, name), 1)
    for name in ("steps", "seed", "variation"):
        _check_least(name, getattr(request.settings, name), 0)
    for item in request.items:
        if isinstance(item, Picture) and item.fit == "crop":
            _check_crop(item)
    if isinstance(request, Redraw):
        _check_strength(request.strength)
    if isinstance(request, RepaintRequest):
        _check_least("resamplings", request.resamplings, 1)


def _check_strength(strength: float) -> None:
    if not 0 <= strength <= 1:  # which no number at all is, nan
        raise BlendError("the strength is {strength}: give 0 to 1", "bad-strength", strength=strength)


def _check_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise BlendError(
            "{name} is {value}: it must be at least {least}", "too-low", name=name, value=value, least=least
        )


def _check_crop(item: Picture) -> None:
    try:
        check_not_too_narrow(item.image)
    except PictureError as exc:
        raise BlendError("{name}: {reason}", exc.code, name=item.label or "a picture", reason=exc) from exc


def picture_hash(image: Image.Image) -> str:
    """SHA-256 of a picture's size, mode and pixels."""
    digest = hashlib.sha256(f"{image.mode} {image.width} {image.height} ".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()
