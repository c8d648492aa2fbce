"""Pictures into which a job draws: the part that is sent, and how what comes back is put into the whole.

Only the region of the mask and a margin around it, which shows the model what it is to join, is cut out and sent. What
comes back takes the place of the region's pixels where the mask is not 0; all others stay as they are, bit for bit.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from plugin_client.pictures import as_picture, opened, read_text
from plugin_client.regions import (
    NO_GROWTH,
    Box,
    Growth,
    any_growth,
    growth,
    growth_to_aspect,
    sendable,
    target_of,
    with_margin,
)
from plugin_client.wire.errors import BadValue, UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Picture, Redraw, Refine, Repaint, Upscale
from plugin_client.wire.recipe import picture_hash
from plugin_client.wire.schema import Whole

KEPT_KEY = "kandinsky-blend-canvas"  # of the iTXt chunk that holds what was drawn into
KEPT_BYTES = 32 * 2**20

_COMPRESSION = 3  # as small as 6 within a few per cent for photos, in a third of the time
_SIDE = Whole((0, 2**31))
_DAMAGE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    RecursionError,
    UsageError,
    BadValue,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Canvas:
    """A whole picture, and the part of it that is sent.

    Attributes:
        image: RGB or RGBA; grown already where it is to grow.
        box: the part.
        mask: of the part, mode L, of the box's size; None: all is drawn anew.
        file: the absolute path of the file from which the picture was read, if it was.
        growing: by how much the picture has grown from what it was.
        target: the size to which all of it is upscaled, if it is.
    """

    image: Image.Image
    box: Box
    mask: Image.Image | None = None
    file: Path | None = None
    growing: Growth = NO_GROWTH
    target: tuple[int, int] | None = None

    @property
    def source(self) -> Picture:
        """The part of the picture that is sent."""
        return as_picture(self.image.crop(self.box))

    @property
    def sent(self) -> tuple[Picture, ...]:
        """The source, and its mask where there is one."""
        return (self.source,) if self.mask is None else (self.source, as_picture(self.mask))

    @property
    def asked(self) -> tuple[type[Redraw], dict[str, Any]]:
        """The kind of request that draws into it, and those of its fields that are known here."""
        if self.target:
            return Upscale, {"source": self.source, "target_width": self.target[0], "target_height": self.target[1]}
        if self.mask:
            return Repaint, {"source": self.source, "mask": as_picture(self.mask)}
        return Refine, {"source": self.source}

    def kept(self) -> dict[str, str]:
        """Return the texts of a PNG file of which read_kept reads this canvas.

        Where they were too large, the source is left out, and the mask where that does not suffice.
        """
        source = self.image.crop(self.box)
        for plain in (self._plain(source=source, mask=self.mask), self._plain(mask=self.mask), self._plain()):
            text = json.dumps(plain)
            if len(text) <= KEPT_BYTES:
                break
        return {KEPT_KEY: text}

    def noted(self) -> str:
        """Return a text of which read_noted makes this canvas, as long as its file holds the same picture.

        The text holds a picture that was in no file; "" where that were too large, or nothing is to be put together.
        """
        if self.file is None:
            fits = self.image.width * self.image.height * len(self.image.getbands()) <= KEPT_BYTES
            return json.dumps(self._plain(whole=self.image, mask=self.mask)) if fits and self.mask else ""
        picture = picture_hash(as_picture(self.image))
        return json.dumps({"file": str(self.file), "picture": picture, **self._plain(mask=self.mask)})

    def with_drawn(self, drawn: Image.Image) -> Image.Image:
        """Return the whole picture with what was drawn into `source`, which has its size."""
        if self.mask is None:
            return drawn
        whole = self.image.copy()
        whole.paste(drawn.convert(whole.mode), self.box, self.mask.point([0] + [255] * 255))
        return whole

    def _plain(self, **parts: Image.Image | None) -> dict[str, Any]:
        """The canvas as JSON can say it, with those of the parts that there are."""
        texts = {name: _as_text(part) for name, part in parts.items() if part}
        return {"box": self.box, "growing": asdict(self.growing), **texts}


@dataclass(frozen=True)
class Kept:
    """A canvas as it was written down: the box, the growth, and of the box the source and the mask, if they are there.

    Attributes:
        file: of the picture that was drawn.
    """

    file: Path
    box: Box
    growing: Growth
    source: Image.Image | None
    mask: Image.Image | None

    def restored(self) -> Canvas | None:
        """Return the canvas, in which the source is put back into the picture that was drawn; None without a source.

        Raises:
            UsageError: the picture is gone, or of another size.
        """
        if self.source is None:
            return None
        image = opened(self.file).convert(self.source.mode)
        self._check_inside(image)
        image.paste(self.source, self.box)
        return Canvas(image, self.box, self.mask, self.file, self.growing)

    def over(self, picture: str | Path | Image.Image) -> Canvas:
        """Return the canvas with the picture that was drawn into, given anew.

        Raises:
            UsageError: the file is missing or broken, or the picture is too small.
        """
        image = _with_edges(opened(picture), self.growing)
        self._check_inside(image)
        return Canvas(image, self.box, self.mask, _file(picture), self.growing)

    def _check_inside(self, image: Image.Image) -> None:
        if self.box[2] > image.width or self.box[3] > image.height:
            raise UsageError(
                N_("{path} was drawn into another picture than one of {width} x {height} pixels"),
                "other-size",
                path=self.file,
                width=image.width,
                height=image.height,
            )


def whole(picture: str | Path | Image.Image) -> Canvas:
    """Return a canvas on which all is drawn anew.

    Raises:
        UsageError: the file is missing or broken, or the picture is too large.
    """
    image = opened(picture)
    return Canvas(image, sendable((0, 0, *image.size), len(image.getbands())), file=_file(picture))


def upscaled(picture: str | Path | Image.Image, size: Any = None, factor: Any = None) -> Canvas:
    """Return a canvas that is upscaled as `regions.target_of` says.

    Raises:
        UsageError: as of target_of; the file is missing or broken, or the picture is too large.
    """
    sheet = whole(picture)
    return replace(sheet, target=target_of(sheet.image.size, len(sheet.image.getbands()), size, factor))


def masked(picture: str | Path | Image.Image, mask: str | Path | Image.Image) -> Canvas:
    """Return a canvas of the region of a mask: white is drawn anew, black stays, gray mixes both.

    Raises:
        UsageError: a file is missing or broken, the mask has another size or is black, or the region is too large.
    """
    image, gray = opened(picture), opened(mask)
    if gray.has_transparency_data:  # what is transparent is not meant
        gray = Image.alpha_composite(Image.new("RGBA", gray.size, "black"), gray.convert("RGBA"))
    return _cut(Canvas(image, (0, 0, *image.size), gray.convert("L"), _file(picture)))


def grown(picture: str | Path | Image.Image, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0) -> Canvas:
    """Return a canvas that is larger by so many pixels at each side, which are drawn anew.

    They start as copies of the picture's edge; OVERLAP pixels of the picture itself mix with what is new.

    Raises:
        UsageError: the file is missing or broken, a number is out of range or all are 0, or the picture is too large.
    """
    return _grown(opened(picture), growth(left=left, top=top, right=right, bottom=bottom), _file(picture))


def grown_to_aspect(picture: str | Path | Image.Image, aspect: float) -> Canvas:
    """Return a canvas that is larger, so that width / height is `aspect`, with the picture in the middle.

    All else as of grown.
    """
    image = opened(picture)
    return _grown(image, growth(**asdict(growth_to_aspect(image.size, aspect))), _file(picture))


def read_kept(path: Path) -> Kept | None:
    """Return what the picture in a PNG file keeps of the canvas on which it was drawn; None where it keeps nothing.

    Raises:
        UsageError: there is no such file, or what it holds is damaged.
    """
    text = read_text(path, KEPT_KEY)
    if text is None:
        return None
    try:
        return _read(json.loads(text), path)
    except _DAMAGE as exc:
        raise UsageError(
            N_("the picture into which was drawn is damaged in {path}: {reason}"), "kept", path=path, reason=exc
        ) from exc


def read_noted(text: str) -> Canvas:
    """Return the canvas that was noted, its picture read from its file.

    Raises:
        UsageError: the file is gone or holds another picture by now, or the text is damaged.
    """
    try:
        plain = json.loads(text)
        if "whole" in plain:
            return _read_whole(plain)
        file, picture = Path(plain["file"]), plain["picture"]
        noted = _read(plain, file)
    except _DAMAGE as exc:
        raise UsageError(N_("what was noted of the job is damaged: {reason}"), "note", reason=exc) from exc
    kept = read_kept(file)  # where the job draws once more what is in the file
    for sheet in (noted.over(file), kept.restored() if kept else None):
        if sheet and picture_hash(as_picture(sheet.image)) == picture:
            return replace(sheet, box=noted.box, mask=noted.mask)
    raise UsageError(N_("{path} holds another picture by now than the one that was sent"), "changed", path=file)


def _read(plain: dict[str, Any], file: Path) -> Kept:
    """Read what Canvas._plain wrote; raises one of _DAMAGE."""
    left, top, right, bottom = (_SIDE.check(side, ("box",)) for side in plain["box"])
    parts = {name: opened(_from_text(plain[name])) for name in ("source", "mask") if name in plain}
    if any(part.size != (right - left, bottom - top) for part in parts.values()):
        raise ValueError("the sizes do not fit")
    mask = parts["mask"].convert("L") if "mask" in parts else None
    growing = any_growth(**plain["growing"])
    return Kept(file.absolute(), (left, top, right, bottom), growing, parts.get("source"), mask)


def _read_whole(plain: dict[str, Any]) -> Canvas:
    """Read a canvas whose picture was noted too; raises one of _DAMAGE."""
    noted, image = _read(plain, Path()), opened(_from_text(plain["whole"]))
    if noted.box[2] > image.width or noted.box[3] > image.height:
        raise ValueError("the sizes do not fit")
    return Canvas(image, noted.box, noted.mask, growing=noted.growing)


def _as_text(image: Image.Image) -> str:
    stream = BytesIO()
    image.save(stream, format="PNG", compress_level=_COMPRESSION)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def _from_text(text: str) -> Image.Image:
    with Image.open(BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as image:
        image.load()
    return image


def _file(picture: str | Path | Image.Image) -> Path | None:
    return None if isinstance(picture, Image.Image) else Path(picture).absolute()


def _grown(image: Image.Image, growing: Growth, file: Path | None) -> Canvas:
    larger = _with_edges(image, growing)
    mask = Image.new("L", larger.size)
    for box, value in growing.fading(image.size):
        mask.paste(value, box)
    return _cut(Canvas(larger, (0, 0, *larger.size), mask, file, growing))


def _cut(canvas: Canvas) -> Canvas:
    """A canvas whose mask is that of the whole picture, cut to the region of the mask and its margin."""
    image, mask = canvas.image, canvas.mask
    assert mask is not None, "there is a mask"
    if mask.size != image.size:
        raise UsageError(
            N_("the mask is of {width} x {height} pixels, and the picture of {picture_width} x {picture_height}"),
            "mask-size",
            width=mask.width,
            height=mask.height,
            picture_width=image.width,
            picture_height=image.height,
        )
    region = mask.getbbox()
    if region is None:
        raise UsageError(N_("the mask is black: make it white where the picture is to be drawn anew"), "empty-mask")
    box = sendable(with_margin(region, image.size), len(image.getbands()))
    return replace(canvas, box=box, mask=mask.crop(box))


def _with_edges(image: Image.Image, growing: Growth) -> Image.Image:
    """A larger picture, whose new pixels are those of the nearest edge."""
    edges = Image.new(image.mode, growing.grown_size(image.size))
    left, top = growing.left, growing.top
    bottom = top + image.height
    edges.paste(image, (left, top))
    for at, width, edge in ((0, left, 0), (left + image.width, growing.right, image.width - 1)):
        if width:
            edges.paste(image.crop((edge, 0, edge + 1, image.height)).resize((width, image.height)), (at, top))
    for at, height, edge in ((0, top, top), (bottom, growing.bottom, bottom - 1)):
        if height:
            edges.paste(edges.crop((0, edge, edges.width, edge + 1)).resize((edges.width, height)), (0, at))
    return edges
