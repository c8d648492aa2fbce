"""The settings of a blend, each said once. Needs the standard library alone, so that the model side may import it too.

From the fields of BlendSettings come: the wire's checks and PROTOCOL.md's table, the options of the shell, the
arguments of GIMP's procedures and the fields of its dialog, the recipe and its reading back. A new setting is a field
here, its use in kandinsky_backend, and the translation of its texts; `python -m plugin_client.wire.document` brings
PROTOCOL.md up to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from plugin_client.wire.limits import (
    MAX_COUNT,
    MAX_NAME_CHARS,
    MAX_SEED,
    MAX_SIDE,
    MAX_TEXT_CHARS,
    MAX_VARIATION,
)
from plugin_client.wire.marking import N_

Blending = Literal["linear", "spherical"]
Sampler = Literal["auto", "own", "ddim", "p_sampler", "dpm++", "dpm++_karras", "unipc"]

AUTO: Sampler = "auto"  # left to the model, as 0 steps are
_FOR_FEW_STEPS: frozenset[Sampler] = frozenset({"dpm++", "dpm++_karras", "unipc"})
_MANY_STEPS = 50  # of the other samplers, as in the reference

RECIPE_VERSION = 2  # of the recipes that are written

Value = str | int | float | bool
Bounds = tuple[float, float]

_STEPS: Bounds = (1, 1000)
_GUIDANCE: Bounds = (0, 100)
_TEXT: Bounds = (0, MAX_TEXT_CHARS)
_NAME: Bounds = (0, MAX_NAME_CHARS)


@dataclass(frozen=True)
class Setting:
    """The properties of a setting beside its name, type and default."""

    help: str  # a phrase that goes on after the name
    bounds: Bounds = (0, 0)  # inclusive: of a number its value, of a text its characters; of others unused
    label: str = ""  # of its field in a dialog, with a mnemonic where there is a letter for it; empty where it has none
    choices: Mapping[str, str] = field(default_factory=dict, hash=False)  # the label of each value of a Literal
    details: str = ""  # of the help, where there is room
    left_out: str = ""  # what is taken where none is given, unless that is the default as it stands
    increment: float = 1  # from one value of a dialog's field to the next
    asked: Literal["always", "of new pictures", "never"] = (
        "always"  # of a person; not of new ones alone: by `again` too
    )
    is_recorded: bool = True  # whether it makes the picture what it is, so that a recipe holds it
    is_advanced: bool = False  # whether a dialog hides it at first


# Settings of the jobs that draw into a picture, which their requests have beside those of every blend.
Strength = Annotated[
    float,
    Setting(
        N_("how much is drawn anew: little near 0, which gives the picture back, and all at 1"),
        (0, 1),
        N_("Strength"),
        increment=0.05,
    ),
]
Resamplings = Annotated[
    int,
    Setting(
        N_("how often each step is done, so that what is new joins what is kept better; each costs the whole time"),
        (1, 10),
        N_("Resamplings"),
        is_advanced=True,
    ),
]


@dataclass(frozen=True, kw_only=True)
class BlendSettings:
    """The settings of a blend: all that it may be told besides its items."""

    negative: Annotated[
        str,
        Setting(N_("what the picture is not to show"), _TEXT, N_("_Keep away from"), asked="of new pictures"),
    ] = ""
    steps: Annotated[
        int,
        Setting(
            N_("of denoising; fewer are quicker and rougher; 0 leaves them to the model"),
            (0, _STEPS[1]),
            N_("S_teps"),
            left_out="as many as lose nothing, which the model knows",
        ),
    ] = 0
    guidance: Annotated[
        float,
        Setting(
            N_("how closely denoising follows the blend; up to 1 it is not guided and drifts"),
            _GUIDANCE,
            N_("G_uidance"),
            increment=0.5,
        ),
    ] = 4.0
    seed: Annotated[
        int,
        Setting(N_("the same seed makes the same picture"), (0, MAX_SEED), N_("S_eed"), left_out="drawn, and shown"),
    ] = 0
    variation: Annotated[
        int,
        Setting(
            "number of the first variation; variation n of a seed is the same picture in every job",
            (0, MAX_VARIATION),
            asked="never",
        ),
    ] = 0
    count: Annotated[
        int,
        Setting(
            N_("how many variations"), (1, MAX_COUNT), N_("_Variations"), asked="of new pictures", is_recorded=False
        ),
    ] = 1
    width: Annotated[
        int,
        Setting(
            N_("of the picture, in pixels; 0, like the height, leaves both to the model"),
            (0, MAX_SIDE),  # and no less than MIN_SIDE, unless both sides are 0
            N_("_Width"),
            left_out="what the model draws best",
            increment=64,
        ),
    ] = 0
    height: Annotated[int, Setting(N_("of the picture, in pixels"), (0, MAX_SIDE), N_("He_ight"), increment=64)] = 0
    blending: Annotated[
        Blending,
        Setting(
            N_("linear is the reference; spherical keeps the strength of what it mixes"),
            label=N_("_Blending"),
            choices={"linear": N_("Linear"), "spherical": N_("Spherical")},
            asked="of new pictures",
            is_advanced=True,
        ),
    ] = "linear"
    normalise: Annotated[
        bool,
        Setting(
            N_("divide the weights by their sum"),
            label=N_("Divide the weights b_y their sum"),
            asked="of new pictures",
            is_advanced=True,
        ),
    ] = False
    sampler: Annotated[
        Sampler,
        Setting(
            N_(
                "how the steps are taken; auto is the model's best; dpm++ and unipc are made for few; the original's "
                "draws noise at each"
            ),
            label=N_("Sampler"),
            choices={
                "auto": N_("The model's best"),
                "own": N_("The checkpoint's own"),
                "ddim": N_("DDIM"),
                "p_sampler": N_("p-sampler, as in the original"),
                "dpm++": N_("DPM-Solver++ 2M"),
                "dpm++_karras": N_("DPM-Solver++ 2M, Karras' steps"),
                "unipc": N_("UniPC"),
            },
            is_advanced=True,
        ),
    ] = AUTO
    prior_steps: Annotated[
        int,
        Setting(
            N_("of turning each prompt into what a picture of it would look like"),
            _STEPS,
            N_("Prior steps"),
            asked="of new pictures",
            is_advanced=True,
        ),
    ] = 25
    prior_guidance: Annotated[
        float,
        Setting(
            N_("how closely the prior follows the words"),
            _GUIDANCE,
            N_("Prior guidance"),
            increment=0.5,
            asked="of new pictures",
            is_advanced=True,
        ),
    ] = 4.0
    decoder_prompt: Annotated[
        str,
        Setting(
            N_("words for denoising itself, in any of about 100 languages"),
            _TEXT,
            N_("Decoder prompt"),
            details="The blend says what the picture is of; this reaches the multilingual text encoder beside it and "
            "shifts details. Try it when the blend has lost something that words can name; leave it out to compare "
            "with other programs",
            left_out="none, as in the reference",
            asked="of new pictures",
            is_advanced=True,
        ),
    ] = ""
    model: Annotated[
        str,
        Setting(
            N_("the name of one that the daemon offers"),
            _NAME,
            N_("Mo_del"),
            left_out="the first that the daemon offers",
            is_advanced=True,
        ),
    ] = ""
    model_hash: Annotated[
        str,
        Setting(
            "when not empty, the job fails with `wrong-model` unless the weights have this hash",
            _NAME,
            asked="never",
        ),
    ] = ""
    preview_every: Annotated[
        int,
        Setting("send a small preview with every n-th step; 0 sends none", (0, 1000), asked="never", is_recorded=False),
    ] = 0


@dataclass(frozen=True)
class SettingField:
    """A field of BlendSettings: its name, its type (str, int, float or bool) and what is known of it."""

    name: str
    type: type[str] | type[int] | type[float] | type[bool]
    choices: tuple[str, ...]  # of a Literal; else none
    default: Value
    setting: Setting

    @property
    def option(self) -> str:
        """Its name for a person: prior-steps for prior_steps."""
        return self.name.replace("_", "-")


def _fields(cls: type[BlendSettings]) -> Iterator[SettingField]:
    hints = get_type_hints(cls, include_extras=True)
    for one in fields(cls):
        if get_origin(hints[one.name]) is not Annotated:
            continue  # no setting but what a request is about
        hint, setting = get_args(hints[one.name])
        choices = get_args(hint) if get_origin(hint) is Literal else ()
        yield SettingField(one.name, str if choices else hint, choices, getattr(cls, one.name), setting)


SETTINGS: dict[str, SettingField] = {one.name: one for one in _fields(BlendSettings)}


def redraw_settings(request: type[BlendSettings]) -> list[SettingField]:
    """Return the settings that a kind of request has beside those of every blend, such as strength."""
    return [one for one in _fields(request) if one.name not in SETTINGS]


def recorded(settings: BlendSettings) -> dict[str, Any]:
    """Return the settings that a recipe holds, as plain values."""
    return {name: getattr(settings, name) for name, one in SETTINGS.items() if one.setting.is_recorded}


class Sampling(NamedTuple):
    """A sampler and its number of steps; "auto" and 0 where that is left to the model, or not known of it."""

    sampler: Sampler = AUTO
    steps: int = 0

    def by(self, best: Sampling) -> Sampling:
        """Return what a model that loses nothing with `best` makes of this, which was asked for.

        A sampler that was chosen instead of the best, and is not made for few steps, takes as many as in the reference.
        """
        sampler = best.sampler if self.sampler == AUTO else self.sampler
        enough = best.steps if sampler == best.sampler or sampler in _FOR_FEW_STEPS else _MANY_STEPS
        return Sampling(sampler, self.steps or enough)


def strength_steps(steps: int, strength: float) -> int:
    """Return how many of `steps` run when a picture is redrawn with a strength of 0 to 1.

    Rounded to the nearest, at least 1 for any strength above 0: the reference cuts off, and 0.29 of 100 steps are 28.
    """
    return max(math.floor(steps * strength + 0.5), 1) if strength > 0 else 0
