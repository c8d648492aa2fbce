"""The arguments of the procedures, and their strict reading.

GIMP replaces a value out of a declared range by the default, without a word to a script. So every range is declared as
wide as its type, a choice is text, and what is not acceptable is refused here by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from plugin_client.client import make_blend
from plugin_client.gimp.ingredients import json_list
from plugin_client.gimp.placing import USUAL_SIDE, Area, made_size
from plugin_client.gimp.translation import _
from plugin_client.sweep import MAX_FRAMES, MIN_FRAMES, frames_of
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import Blend, Item

Value = str | int | float | bool
Conversion = Literal["ask", "layer", "new-image"]
FramesAs = Literal["group", "new-image"]

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Blend)}
_COUNT = "count"
_IN_ERRORS = "blend."  # how the codec names the fields of a blend


@dataclass(frozen=True)
class Argument:
    """One argument; its type is that of its default."""

    name: str
    label: str
    help: str
    default: Value


def _setting(name: str, label: str, help_: str) -> Argument:
    return Argument(name.replace("_", "-"), label, help_, _DEFAULTS[name])


INGREDIENTS = Argument(
    "ingredients",
    _("Ingredients"),
    _(
        'What to blend, as JSON: [{"layer": TATTOO, "weight": 0.5}, {"text": "a cat", "weight": 0.5}]. A layer may '
        'have "fit" (crop, pad, stretch) and "backdrop" ([red, green, blue]); {"embeds", "weight", "label"} is as in a '
        "recipe"
    ),
    "",
)
PROMPT = Argument("prompt", _("Prompt"), _("What the picture is of"), "")
CONVERSION = Argument(
    "conversion",
    _("Gray and indexed images"),
    _(
        'What becomes of colours in a gray or indexed image: "ask" (a script is refused), "layer" (the new layer loses '
        'them), "new-image" (the result opens as a new image)'
    ),
    "ask",
)
SETTINGS = (
    _setting("negative", _("Keep away from"), _("What the picture is not to show")),
    _setting(
        "decoder_prompt", _("Words for the painting"), _("Reaches the multilingual text encoder beside the blend")
    ),
    Argument(
        "width", _("Width"), _("Of the picture that the model makes, in pixels; 0 follows the image or selection"), 0
    ),
    Argument("height", _("Height"), _("As width"), 0),
    _setting("steps", _("Steps"), _("Of painting; fewer are quicker and rougher")),
    _setting("guidance", _("Guidance"), _("How closely the painting follows the blend")),
    _setting("prior_steps", _("Prior steps"), _("Of turning a prompt into what a picture of it would look like")),
    _setting("prior_guidance", _("Prior guidance"), _("How closely that follows the words")),
    Argument("seed", _("Seed"), _("The same seed makes the same picture; -1 draws one"), -1.0),
    _setting(_COUNT, _("Variations"), _("How many pictures")),
    _setting("blending", _("Blending"), _('"linear" or "spherical", which keeps the strength of what it mixes')),
    _setting("normalise", _("Normalise"), _("Divide the weights by their sum")),
    _setting("model", _("Model"), _("One of those that the daemon offers; none is its first")),
)

TO = Argument(
    "to",
    _("Weights at the end"),
    _("Of a sweep, as JSON: one for each of the ingredients, such as [0, 1]; their own weights are those at its start"),
    "",
)
FRAMES = Argument(
    "frames",
    _("Frames"),
    _("How many pictures the sweep has, from {least} to {most}").format(least=MIN_FRAMES, most=MAX_FRAMES),
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
VARIATION = Argument("variation", _("Variation"), _("Of the seed, the number of the first picture, from 0"), 0)
SWEEP = Argument("sweep", _("Sweep"), _("Whether the dialog moves the weights"), False)
SWEEP_SETTINGS = tuple(argument for argument in SETTINGS if argument.name != _COUNT)  # each frame is one picture


def blend_of(items: tuple[Item, ...], values: Mapping[str, Value], area: Area) -> Blend:
    """The blend that the arguments SETTINGS ask for; those that a procedure has not are at their defaults.

    Where no size is given it has none: `running.fitted` finds one.

    Raises:
        UsageError: a value is out of its range; the text names the argument.
    """
    given = [argument.name for argument in SETTINGS if argument.name in values]
    known = {name.replace("-", "_"): values[name] for name in given}
    width, height, seed = known.pop("width"), known.pop("height"), known.pop("seed")
    sides = _sides(int(width), int(height))
    size = made_size(area, *sides, USUAL_SIDE) if any(sides) else sides
    try:
        return make_blend(items, size=size, seed=_seed(float(seed)), **known)
    except UsageError as exc:
        raise UsageError(_renamed(str(exc))) from exc


def sweep_of(items: tuple[Item, ...], values: Mapping[str, Value], area: Area) -> tuple[Blend, ...]:
    """The frames that the arguments SWEEP_SETTINGS, TO and FRAMES ask for. Errors as of blend_of and frames_of."""
    one_picture = {name: value for name, value in values.items() if name != _COUNT}
    blend = blend_of(items, one_picture, area)
    return frames_of(blend, json_list(str(values[TO.name]), TO.name), int(values[FRAMES.name]))


def conversion_of(values: Mapping[str, Value]) -> Conversion:
    """What becomes of colours.

    Raises:
        UsageError: the value is none of the choices.
    """
    choice: Conversion = _choice(values, CONVERSION, get_args(Conversion))
    return choice


def frames_as_of(values: Mapping[str, Value]) -> FramesAs:
    """Where the frames of a sweep go. Errors as of conversion_of."""
    choice: FramesAs = _choice(values, FRAMES_AS, get_args(FramesAs))
    return choice


def _choice(values: Mapping[str, Value], argument: Argument, choices: tuple[Any, ...]) -> Any:
    value = values[argument.name]
    if value not in choices:
        raise UsageError(
            _("{name} is {value!r}: must be one of {choices}").format(
                name=argument.name, value=value, choices=", ".join(choices)
            )
        )
    return value


def _sides(width: int, height: int) -> tuple[int, int]:
    for name, side in (("width", width), ("height", height)):
        if side < 0:
            raise UsageError(
                _("{name} is {side}: must be a number of pixels, or 0 to follow the image or selection").format(
                    name=name, side=side
                )
            )
    return width, height


def _seed(value: float) -> int | None:
    if value == -1:
        return None
    if not value.is_integer():
        raise UsageError(_("seed is {value}: must be a whole number, or -1 to draw one").format(value=value))
    return int(value)


def _renamed(sentence: str) -> str:
    """A sentence of the codec, "blend.prior_steps is 0: ...", with the argument's name."""
    name, space, rest = sentence.removeprefix(_IN_ERRORS).partition(" ")
    return f"{name.replace('_', '-')}{space}{rest}"
