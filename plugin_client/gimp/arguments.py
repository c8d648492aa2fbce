"""The arguments of the procedures, and their strict reading.

GIMP replaces a value out of a declared range by the default, without a word to a script. So every range is declared as
wide as its type, a choice is text, and what is not acceptable is refused here by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from plugin_client.client import make_blend
from plugin_client.gimp.placing import Area, made_size
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import Blend, Item

Value = str | int | float | bool
Conversion = Literal["ask", "layer", "new-image"]

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Blend)}
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
    "Ingredients",
    'What to blend, as JSON: [{"layer": TATTOO, "weight": 0.5}, {"text": "a cat", "weight": 0.5}]. A layer may have '
    '"fit" (crop, pad, stretch) and "backdrop" ([red, green, blue]); {"embeds", "weight", "label"} is as in a recipe',
    "",
)
PROMPT = Argument("prompt", "Prompt", "What the picture is of", "")
CONVERSION = Argument(
    "conversion",
    "Gray and indexed images",
    'What becomes of colours in a gray or indexed image: "ask" (a script is refused), "layer" (the new layer loses '
    'them), "new-image" (the result opens as a new image)',
    "ask",
)
SETTINGS = (
    _setting("negative", "Keep away from", "What the picture is not to show"),
    _setting("decoder_prompt", "Words for the painting", "Reaches the multilingual text encoder beside the blend"),
    Argument("width", "Width", "Of the picture that the model makes, in pixels; 0 follows the image or selection", 0),
    Argument("height", "Height", "As width", 0),
    _setting("steps", "Steps", "Of painting; fewer are quicker and rougher"),
    _setting("guidance", "Guidance", "How closely the painting follows the blend"),
    _setting("prior_steps", "Prior steps", "Of turning a prompt into what a picture of it would look like"),
    _setting("prior_guidance", "Prior guidance", "How closely that follows the words"),
    Argument("seed", "Seed", "The same seed makes the same picture; -1 draws one", -1.0),
    _setting("count", "Variations", "How many pictures"),
    _setting("blending", "Blending", '"linear" or "spherical", which keeps the strength of what it mixes'),
    _setting("normalise", "Normalise", "Divide the weights by their sum"),
    _setting("model", "Model", "One of those that the daemon offers; none is its first"),
)


def blend_of(items: tuple[Item, ...], values: Mapping[str, Value], area: Area) -> Blend:
    """The blend that the arguments SETTINGS ask for.

    Raises:
        UsageError: a value is out of its range; the text names the argument.
    """
    known = {argument.name.replace("-", "_"): values[argument.name] for argument in SETTINGS}
    width, height, seed = known.pop("width"), known.pop("height"), known.pop("seed")
    size = made_size(area, *_sides(int(width), int(height)))
    try:
        return make_blend(items, size=size, seed=_seed(float(seed)), **known)
    except UsageError as exc:
        raise UsageError(_renamed(str(exc))) from exc


def conversion_of(values: Mapping[str, Value]) -> Conversion:
    """What becomes of colours.

    Raises:
        UsageError: the value is none of the choices.
    """
    for choice in get_args(Conversion):
        if choice == values[CONVERSION.name]:
            return choice  # type: ignore[no-any-return]
    raise UsageError(f"conversion is {values[CONVERSION.name]!r}: must be one of {', '.join(get_args(Conversion))}")


def _sides(width: int, height: int) -> tuple[int, int]:
    for name, side in (("width", width), ("height", height)):
        if side < 0:
            raise UsageError(f"{name} is {side}: must be a number of pixels, or 0 to follow the image or selection")
    return width, height


def _seed(value: float) -> int | None:
    if value == -1:
        return None
    if not value.is_integer():
        raise UsageError(f"seed is {value}: must be a whole number, or -1 to draw one")
    return int(value)


def _renamed(sentence: str) -> str:
    """A sentence of the codec, "blend.prior_steps is 0: ...", with the argument's name."""
    name, space, rest = sentence.removeprefix(_IN_ERRORS).partition(" ")
    return f"{name.replace('_', '-')}{space}{rest}"
