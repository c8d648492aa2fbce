"""The arguments of the procedures, and their strict reading.

GIMP replaces a value out of a declared range by the default, without a word to a script. So every range is declared as
wide as its type, a choice is text, and what is not acceptable is refused here by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from plugin_client.client import make_blend, redraw_of
from plugin_client.editor.geometry import USUAL_SIDE, Area, made_size
from plugin_client.editor.ingredients import Ingredient, json_list, weights_without_empty
from plugin_client.editor.translation import _, unmarked
from plugin_client.regions import MOST_GROWTH, Growth, check_target, growth, growth_to_aspect, size_within
from plugin_client.sweep import MAX_FRAMES, MIN_FRAMES, frames_of
from plugin_client.wire import settings
from plugin_client.wire.errors import BadArgument, Path, UsageError, dotted
from plugin_client.wire.limits import MAX_PICTURE_SIDE
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Blend, Item, Redraw, Refine, Repaint, Upscale
from plugin_client.wire.settings import BlendSettings, SettingField, Value, redraw_settings

Conversion = Literal["ask", "layer", "new-image"]
FramesAs = Literal["group", "new-image"]
Seen = Literal["visible", "layer"]
Region = Literal["selection", "layer"]

_COUNT = "count"
LEAST_ASPECT = 0.05  # of an image that grows, and 1 / of it the most


@dataclass(frozen=True)
class Argument:
    """One argument; its type is that of its default."""

    name: str
    label: str
    help: str
    default: Value


def _argument(one: SettingField) -> Argument:
    """Return the argument of a setting."""
    words = _(one.setting.help)
    choices = f" ({', '.join(one.choices)})" if one.choices else ""
    return Argument(one.option, unmarked(_(one.setting.label)), f"{words[:1].upper()}{words[1:]}{choices}", one.default)


INGREDIENTS = Argument(
    "ingredients",
    _("Ingredients"),
    _(
        'Ingredients of the blend, as JSON: [{"layer": TATTOO, "weight": 0.5}, {"text": "a cat", "weight": 0.5}]. A '
        'layer may have "fit" (crop, pad, stretch) and "backdrop" ([red, green, blue]); {"embeds", "weight", "label"} '
        "is as in a recipe"
    ),
    "",
)
PROMPT = Argument("prompt", _("Prompt"), _("What the picture is of"), "")
CONVERSION = Argument(
    "conversion",
    _("Gray and indexed images"),
    _(
        'Colours of a result in a gray or indexed image: "ask" (a script is refused), "layer" (the new layer loses '
        'them), "new-image" (the result opens as a new image)'
    ),
    "ask",
)
# Where an argument means more to GIMP than to the wire.
_OWN = {
    "width": Argument(
        "width",
        unmarked(_(settings.SETTINGS["width"].setting.label)),
        _("Width of the picture that the model makes, in pixels; 0 follows the image or selection"),
        0,
    ),
    "height": Argument(
        "height",
        unmarked(_(settings.SETTINGS["height"].setting.label)),
        _("Height of the picture that the model makes, in pixels; 0 follows the image or selection"),
        0,
    ),
    "seed": Argument(
        "seed",
        unmarked(_(settings.SETTINGS["seed"].setting.label)),
        _("The same seed makes the same picture; -1 draws one"),
        -1.0,
    ),
}
SETTINGS = tuple(
    _OWN.get(one.name) or _argument(one) for one in settings.SETTINGS.values() if one.setting.asked != "never"
)

TO = Argument(
    "to",
    _("Weights at the end"),
    _(
        "Weights at the end of a sweep, as JSON: one for each ingredient, such as [0, 1]; their own weights are those "
        "at its start"
    ),
    "",
)
FRAMES = Argument(
    "frames",
    _("Frames"),
    _("Number of pictures of the sweep, from {least} to {most}").format(least=MIN_FRAMES, most=MAX_FRAMES),
    8,
)
FRAMES_AS = Argument(
    "frames-as",
    _("Frames come as"),
    _(
        '"group": a layer group in the image, the first frame lowest; "new-image": the layers of a new image, which '
        "GIMP's GIF and WebP export takes as an animation, as it takes no group"
    ),
    "group",
)
VARIATION = Argument("variation", _("Variation"), _("Number of the first variation of the seed, from 0"), 0)
SWEEP = Argument("sweep", _("Sweep"), _("Whether the dialog makes a sweep"), False)
SWEEP_SETTINGS = tuple(argument for argument in SETTINGS if argument.name != _COUNT)  # each frame is one picture


def _redraw_arguments(request: type[BlendSettings]) -> tuple[Argument, ...]:
    """Return the arguments of a kind of request that draws into a picture: its own settings first."""
    return (*map(_argument, redraw_settings(request)), *SETTINGS)


REPAINT_SETTINGS = _redraw_arguments(Repaint)
REFINE_SETTINGS = _redraw_arguments(Refine)
UPSCALE_SETTINGS = _redraw_arguments(Upscale)
TARGET_SIDES = tuple(
    Argument(name, label, _("Of the new layer, in pixels, in proportion; 0 for both fits it into the image"), 0)
    for name, label in (("target-width", _("New width")), ("target-height", _("New height")))
)
SEEN = Argument(
    "seen",
    _("What the model sees"),
    _('What is drawn into: "visible" (all that is to be seen of the image) or "layer" (the selected layer alone)'),
    "visible",
)
REGION = Argument(
    "region",
    _("Region"),
    _('What is drawn anew: "selection" (refused where nothing is selected) or "layer" (the whole selected layer)'),
    "selection",
)
GROWTH_SIDES = tuple(
    Argument(
        side, label, _("Pixels by which the image grows at this side, from 0 to {most}").format(most=MOST_GROWTH), 0
    )
    for side, label in (("left", _("Left")), ("top", _("Top")), ("right", _("Right")), ("bottom", _("Bottom")))
)
ASPECT = Argument(
    "aspect",
    _("Aspect ratio"),
    _("Width / height that the image grows to, with what is there in the middle; 0 grows by pixels"),
    0.0,
)


def growth_of(values: Mapping[str, Value], size: tuple[int, int]) -> Growth:
    """Return by how much the sides GROWTH_SIDES, or ASPECT, let an image of `size` grow.

    Raises:
        UsageError: a value is out of its range, both are given, or nothing grows; the text names the argument.
    """
    sides = {one.name: int(values[one.name]) for one in GROWTH_SIDES}
    aspect = float(values[ASPECT.name])
    if not aspect:
        return growth(**sides)
    if any(sides.values()):
        raise UsageError(N_("aspect and pixels for a side were given: give one of them"))
    if not LEAST_ASPECT <= aspect <= 1 / LEAST_ASPECT:
        raise UsageError(
            N_("aspect is {value}: must be a number from {low} to {high}, or 0 to grow by pixels"),
            value=aspect,
            low=LEAST_ASPECT,
            high=round(1 / LEAST_ASPECT),
        )
    found = growth_to_aspect(size, aspect)
    return growth(left=found.left, top=found.top, right=found.right, bottom=found.bottom)


def target_with(values: Mapping[str, Value], size: tuple[int, int], image: tuple[int, int]) -> tuple[int, int]:
    """Return the size to which TARGET_SIDES let a layer of `size` in an image become larger.

    Raises:
        UsageError: a value is out of its range, or the size is smaller than the layer, or too large.
    """
    width, height = (int(values[one.name]) for one in TARGET_SIDES)
    for one, side in zip(TARGET_SIDES, (width, height), strict=True):
        if not 0 <= side <= MAX_PICTURE_SIDE:
            raise UsageError(
                N_("{name} is {side}: must be a number of pixels up to {most}, or 0 to follow the other or the image"),
                name=one.name,
                side=side,
                most=MAX_PICTURE_SIDE,
            )
    return check_target(size_within(size, (width, height) if width or height else image), size, 4)


def redraw_with(
    kind: type[Redraw], given: Mapping[str, Any], items: tuple[Item, ...], values: Mapping[str, Value]
) -> Redraw:
    """Return the request of a kind that the arguments ask for; `given` as of redraw_of. Errors as of blend_of."""
    own = {one.name.replace("-", "_") for one in redraw_settings(kind)}
    drawing: dict[str, Any] = {name: values[name] for name in own if name in values}
    source = given["source"]
    known, size = _known(values, Area(0, 0, source.width, source.height))
    try:
        return redraw_of(kind, given, items, size=size, **drawing, **known)
    except BadArgument as exc:
        raise UsageError(exc.render(_, name=_argument_name(exc.path))) from exc


def blend_of(items: tuple[Item, ...], values: Mapping[str, Value], area: Area) -> Blend:
    """Return the blend that the arguments SETTINGS ask for; those that a procedure has not are at their defaults.

    Where no size is given it has none: GenerateRequest finds one.

    Raises:
        UsageError: a value is out of its range; the text names the argument.
    """
    known, size = _known(values, area)
    try:
        return make_blend(items, size=size, **known)
    except BadArgument as exc:
        raise UsageError(exc.render(_, name=_argument_name(exc.path))) from exc


def _known(values: Mapping[str, Value], area: Area) -> tuple[dict[str, Any], tuple[int, int]]:
    """Return those of SETTINGS that there are, and the size for an area, 0 x 0 where none is asked for."""
    given = [argument.name for argument in SETTINGS if argument.name in values]
    known: dict[str, Any] = {name.replace("-", "_"): values[name] for name in given}
    sides = _sides(int(known.pop("width")), int(known.pop("height")))
    known["seed"] = _seed(float(known["seed"]))
    return known, made_size(area, *sides, USUAL_SIDE) if any(sides) else sides


def sweep_of(items: tuple[Item, ...], to: Sequence[Any], values: Mapping[str, Value], area: Area) -> tuple[Blend, ...]:
    """Return the frames that SWEEP_SETTINGS and FRAMES ask for, the last of which has the weights `to`.

    Errors as of blend_of and frames_of.
    """
    one_picture = {name: value for name, value in values.items() if name != _COUNT}
    blend = blend_of(items, one_picture, area)
    return frames_of(blend, to, int(values[FRAMES.name]))


def end_weights(values: Mapping[str, Value], ingredients: Sequence[Ingredient]) -> list[Any]:
    """The weights in TO of the ingredients that are blended, not yet checked. Errors as of json_list."""
    return weights_without_empty(json_list(str(values[TO.name]), TO.name), ingredients)


def conversion_of(values: Mapping[str, Value]) -> Conversion:
    """The value of "conversion".

    Raises:
        UsageError: the value is none of the choices.
    """
    choice: Conversion = _choice(values, CONVERSION, get_args(Conversion))
    return choice


def frames_as_of(values: Mapping[str, Value]) -> FramesAs:
    """The value of "frames-as". Errors as of conversion_of."""
    choice: FramesAs = _choice(values, FRAMES_AS, get_args(FramesAs))
    return choice


def seen_of(values: Mapping[str, Value]) -> Seen:
    """The value of "seen". Errors as of conversion_of."""
    choice: Seen = _choice(values, SEEN, get_args(Seen))
    return choice


def region_of(values: Mapping[str, Value]) -> Region:
    """The value of "region". Errors as of conversion_of."""
    choice: Region = _choice(values, REGION, get_args(Region))
    return choice


def _choice(values: Mapping[str, Value], argument: Argument, choices: tuple[Any, ...]) -> Any:
    value = values[argument.name]
    if value not in choices:
        raise UsageError(
            N_("{name} is {value!r}: must be one of {choices}"),
            name=argument.name,
            value=value,
            choices=", ".join(choices),
        )
    return value


def _sides(width: int, height: int) -> tuple[int, int]:
    for name, side in (("width", width), ("height", height)):
        if side < 0:
            raise UsageError(
                N_("{name} is {side}: must be a number of pixels, or 0 to follow the image or selection"),
                name=name,
                side=side,
            )
    return width, height


def _seed(value: float) -> int | None:
    if value == -1:
        return None
    if not value.is_integer():
        raise UsageError(N_("seed is {value}: must be a whole number, or -1 to draw one"), value=value)
    return int(value)


def _argument_name(path: Path) -> str:
    """`prior-steps` for the path ("prior_steps",) of a blend."""
    return dotted(path).replace("_", "-")
