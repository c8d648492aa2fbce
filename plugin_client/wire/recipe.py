"""Recipes: the plain data that travels with every picture and makes it again.

A recipe comes out of a file that anybody may have written, so it is read as strictly as a message. Older versions are
brought up to this one first; how a recipe is written is fixed in PROTOCOL.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, ClassVar, get_args

from plugin_client.wire import codec, schema
from plugin_client.wire.errors import BadValue, Path, VersionError, show
from plugin_client.wire.faults import Fault
from plugin_client.wire.messages import (
    Blend,
    EmbedsItem,
    Fit,
    Item,
    Picture,
    Redraw,
    Refine,
    Repaint,
    Result,
    TextItem,
    Upscale,
)
from plugin_client.wire.settings import (
    RECIPE_VERSION,
    SETTINGS,
    BlendSettings,
    Resamplings,
    Strength,
    recorded,
)

_ROOT: Path = ("recipe",)
Sha256 = Annotated[str, re.compile("[0-9a-f]{64}")]


@dataclass(frozen=True)
class RecordedPicture:
    """The image embedding of a picture, and the origin of the picture as far as it is known."""

    embeds: bytes = field(repr=False)  # little-endian float32 values
    weight: float
    label: str = ""
    picture: Sha256 | None = None  # of its pixels
    fit: Fit | None = None

    @property
    def item(self) -> EmbedsItem:
        return EmbedsItem(self.embeds, self.weight, self.label)


RecordedItem = TextItem | RecordedPicture


@dataclass(frozen=True)
class Refined:
    """The picture from which one was drawn anew, and what the job was told beside the settings of every blend."""

    kind: ClassVar[str] = Refine.kind
    source: Sha256  # picture_hash
    strength: Strength = Refine.strength

    def request(self, items: tuple[Item, ...], pictures: Sequence[Picture], settings: BlendSettings) -> Refine:
        """Return the request that draws the picture anew again."""
        (source,) = pictures
        return Refine(items, source, self.strength, **recorded(settings))


@dataclass(frozen=True)
class Repainted:
    """The picture into which was drawn, where, and what the job was told beside the settings of every blend."""

    kind: ClassVar[str] = Repaint.kind
    source: Sha256  # picture_hash
    mask: Sha256
    strength: Strength = Repaint.strength
    resamplings: Resamplings = Repaint.resamplings
    inpainting: str = ""  # the way that was taken, which the model's weights decide

    def request(self, items: tuple[Item, ...], pictures: Sequence[Picture], settings: BlendSettings) -> Repaint:
        """Return the request that draws into the picture again."""
        source, mask = pictures
        return Repaint(items, source, mask, self.strength, self.resamplings, **recorded(settings))


@dataclass(frozen=True)
class Upscaled:
    """The picture that was enlarged, to which size, and what the job was told beside the settings of every blend."""

    kind: ClassVar[str] = Upscale.kind
    source: Sha256  # picture_hash
    target_width: int
    target_height: int
    strength: Strength = Upscale.strength

    def request(self, items: tuple[Item, ...], pictures: Sequence[Picture], settings: BlendSettings) -> Upscale:
        """Return the request that enlarges the picture again."""
        (source,) = pictures
        return Upscale(items, source, self.target_width, self.target_height, self.strength, **recorded(settings))


Redrawn = Refined | Repainted | Upscaled


@dataclass(frozen=True)
class Provenance:
    """The circumstances of a picture's making, which do not change it; "" where they are unknown."""

    precision: str = ""
    device: str = ""
    version: str = ""  # of the product


@dataclass(frozen=True)
class Recipe:
    """All that makes a picture again: its items and settings, its model among these, and its provenance."""

    items: tuple[RecordedItem, ...]
    settings: BlendSettings
    provenance: Provenance
    redrawn: Redrawn | None = None  # of a picture that was drawn into another

    @property
    def kind(self) -> str:
        """The kind of request that makes the picture again."""
        return self.redrawn.kind if self.redrawn else Blend.kind

    @property
    def blend(self) -> Blend:
        """The blend of the items and settings, which makes the picture again unless it was drawn into another one.

        Prompts are text, pictures embeddings.
        """
        return Blend(self._sent, **recorded(self.settings))

    def redraw(self, *pictures: Picture) -> Redraw:
        """Return the request that draws into the source, and where there is one through the mask, again.

        Raises:
            BadValue: a picture is not the one that the recipe names.
        """
        assert self.redrawn, "asked of a picture that was drawn into another"
        for name, picture in zip(_PICTURES, pictures, strict=False):
            if (found := picture_hash(picture)) != getattr(self.redrawn, name):
                raise BadValue((*_ROOT, name), found, Fault.OTHER_PICTURE)
        return self.redrawn.request(self._sent, pictures, self.settings)

    def check(self) -> None:
        """Refuse values that no request may have. Raises: BadValue."""
        redrawn = self.redrawn
        codec.check_request(
            redrawn.request(self._sent, _STAND_INS[self.kind], self.settings) if redrawn else self.blend, _ROOT
        )

    @property
    def _sent(self) -> tuple[TextItem | EmbedsItem, ...]:
        return tuple(item if isinstance(item, TextItem) else item.item for item in self.items)

    def knowing(self, original: Recipe) -> Recipe:
        """Add the origins of pictures that `original`, from which this was made again, knows.

        An embedding is sent without its past, so the daemon cannot tell it.
        """
        known = {item.embeds: item for item in original.items if isinstance(item, RecordedPicture)}

        def with_past(item: RecordedItem) -> RecordedItem:
            if isinstance(item, TextItem) or item.picture or item.embeds not in known:
                return item
            past = known[item.embeds]
            return replace(item, label=item.label or past.label, picture=past.picture, fit=past.fit)

        return replace(self, items=tuple(map(with_past, self.items)))

    def plain(self) -> dict[str, Any]:
        """Return the recipe as it is written into files, in the current version."""
        return {
            "recipe": RECIPE_VERSION,
            "kind": self.kind,
            "items": [_written(item) for item in self.items],
            **(_written_fields(self.redrawn) if self.redrawn else {}),
            **recorded(self.settings),
            **_written_fields(self.provenance),
        }


def parse_recipe(plain: object) -> Recipe:
    """Read the recipe that plain data of any known version holds.

    Raises:
        VersionError: it is of a version that is not known.
        BadValue: it is not a recipe, or a value in it is out of range.
    """
    current = _current(plain)
    kind = schema.Choice((Blend.kind, *_REDRAWN)).check(current.pop("kind", None), (*_ROOT, "kind"))
    if "items" not in current:
        raise BadValue(_ROOT, "items", Fault.MISSING_FIELD)
    items = _items(current.pop("items"))
    settings = _read(_SETTINGS, _SILENT | {name: current.pop(name) for name in _RECORDED & current.keys()})
    redrawn = _read_redrawn(kind, current) if kind in _REDRAWN else None
    recipe = Recipe(items, settings, _read(_PROVENANCE, current), redrawn)
    recipe.check()
    return recipe


def blend_from_recipe(plain: object) -> Blend:
    """Read the blend that makes a picture again. Errors as of parse_recipe."""
    return parse_recipe(plain).blend


def recipes_of(result: Result) -> list[dict[str, Any]]:
    """Return the recipe of each picture of a result: they differ in the number of the variation."""
    first = result.recipe.get("variation", 0)
    return [{**result.recipe, "variation": first + n} for n in range(len(result.pictures))]


def with_provenance(made: object, original: object) -> dict[str, Any]:
    """Add to the recipe of a picture `made` again the origins of pictures that the recipe `original` knows.

    Errors as of parse_recipe.
    """
    return parse_recipe(made).knowing(parse_recipe(original)).plain()


def picture_hash(picture: Picture) -> str:
    """Return the SHA-256 of a picture's size, channels and pixels, in hex, as recipes name it."""
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[picture.channels]
    digest = hashlib.sha256(f"{mode} {picture.width} {picture.height} ".encode())
    digest.update(picture.pixels)
    return digest.hexdigest()


def item_from_plain(plain: object, where: Path) -> TextItem | EmbedsItem:
    """Read an item of a recipe as an item of a blend. Raises: BadValue."""
    item = _item(_with_kind(plain, where), where)
    return item if isinstance(item, TextItem) else item.item


# --- reading -----------------------------------------------------------------------------------------------------

# Of a recipe that does not say: it is older than what a model does best. Later ones say what was taken.
_SILENT: dict[str, Any] = {"steps": 50, "sampler": "own"}
_RECORDED = {name for name, one in SETTINGS.items() if one.setting.is_recorded}
_SETTINGS = schema.record(BlendSettings)
_PROVENANCE = schema.record(Provenance)
_REDRAWN = {cls.kind: schema.record(cls) for cls in get_args(Redrawn)}
_PICTURES = ("source", "mask")  # of a request, in their order
_SOURCE, _MASK = Picture(2, 1, 3, bytes(6)), Picture(2, 1, 1, b"\0\xff")
_STAND_INS: dict[str, tuple[Picture, ...]] = {
    Refine.kind: (_SOURCE,),
    Repaint.kind: (_SOURCE, _MASK),
    Upscale.kind: (_SOURCE,),
}  # where only the other values matter
_ITEM = schema.OneOf(
    {kind: schema.record(cls, kind) for kind, cls in (("text", TextItem), ("embeds", RecordedPicture))}
)


def _read(record: schema.Record, plain: object) -> Any:
    return record.read(plain, _ROOT, schema.Frames([]))


def _read_redrawn(kind: str, plain: dict[str, Any]) -> Redrawn:
    """Take what only a recipe of this kind has out of the fields that are left."""
    record = _REDRAWN[kind]
    redrawn: Redrawn = _read(record, {name: plain.pop(name) for name in record.schemas.keys() & plain.keys()})
    return redrawn


def _items(plain: object) -> tuple[RecordedItem, ...]:
    where = (*_ROOT, "items")
    if type(plain) is not list:
        raise BadValue(where, plain, Fault.NOT_A_LIST)
    return tuple(_item(item, (*where, n)) for n, item in enumerate(plain))


def _item(plain: object, where: Path) -> RecordedItem:
    if type(plain) is dict and "embeds" in plain:
        plain = {**plain, "embeds": _from_base64(plain["embeds"], (*where, "embeds"))}
    item: RecordedItem = _ITEM.read(plain, where, schema.Frames([]))
    return item


def _from_base64(text: object, where: Path) -> bytes:
    try:
        return base64.b64decode(text, validate=True)  # type: ignore[arg-type]
    except (TypeError, ValueError, binascii.Error) as exc:
        raise BadValue(where, text, Fault.NOT_BASE64) from exc


# --- older versions ----------------------------------------------------------------------------------------------


def _current(plain: object) -> dict[str, Any]:
    """Return the fields of a recipe as this version has them, its number excepted."""
    if type(plain) is not dict:
        raise BadValue(_ROOT, plain, Fault.NOT_A_MAP)
    fields_ = dict(plain)
    version = fields_.pop("recipe", None)
    if type(version) is not int or not 1 <= version <= RECIPE_VERSION:
        raise VersionError.of(Fault.RECIPE_VERSION, value=show(version), known=RECIPE_VERSION)
    for migrate in _MIGRATIONS[version - 1 :]:
        fields_ = migrate(fields_)
    return fields_


def _from_version_1(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Add the kinds of the job and its items, which version 1 did not write."""
    migrated = {**plain, "kind": Blend.kind}
    if type(items := plain.get("items")) is list:
        migrated["items"] = [_with_kind(item, (*_ROOT, "items", n)) for n, item in enumerate(items)]
    return migrated


_MIGRATIONS: tuple[Callable[[Mapping[str, Any]], dict[str, Any]], ...] = (_from_version_1,)  # of versions 1, 2, ...


def _with_kind(item: object, where: Path) -> dict[str, Any]:
    if type(item) is not dict:
        raise BadValue(where, item, Fault.NOT_A_MAP)
    return {"kind": "embeds" if "embeds" in item else "text", **item}


# --- writing -----------------------------------------------------------------------------------------------------


def _written(item: RecordedItem) -> dict[str, Any]:
    if isinstance(item, TextItem):
        return {"kind": "text", "text": item.text, "weight": item.weight}
    embeds = base64.b64encode(item.embeds).decode("ascii")
    past = {name: value for name, value in (("picture", item.picture), ("fit", item.fit)) if value is not None}
    return {"kind": "embeds", "embeds": embeds, "weight": item.weight, "label": item.label, **past}


def _written_fields(record: Provenance | Redrawn) -> dict[str, Any]:
    return {one.name: getattr(record, one.name) for one in fields(record)}
