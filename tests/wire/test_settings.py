"""What is said once of a setting is whole, and reaches the places that are made of it."""

from __future__ import annotations

import pytest

from plugin_client.cli.arguments import parse
from plugin_client.wire import schema
from plugin_client.wire.errors import BadValue
from plugin_client.wire.messages import Blend
from plugin_client.wire.settings import AUTO, SETTINGS, BlendSettings, Sampling, recorded, strength_steps

ASKED = [name for name, one in SETTINGS.items() if one.setting.asked != "never"]
OF_OLD_PICTURES = [name for name, one in SETTINGS.items() if one.setting.asked == "always"]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_default_of_a_setting_is_within_its_bounds(name: str) -> None:
    written = schema.record(BlendSettings).write(BlendSettings(), (), schema.Frames([]))
    assert written[name] == SETTINGS[name].default


@pytest.mark.parametrize("name", [name for name, one in SETTINGS.items() if one.setting.bounds != (0, 0)])
def test_a_setting_beyond_its_bounds_is_refused_by_name(name: str) -> None:
    one = SETTINGS[name]
    beyond = "x" * int(one.setting.bounds[1] + 1) if one.type is str else one.type(one.setting.bounds[1] + 1)
    with pytest.raises(BadValue) as caught:
        schema.record(BlendSettings).read({name: beyond}, ("x",), schema.Frames([]))
    assert (caught.value.path, caught.value.value) == (("x", name), beyond)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_has_a_label_where_a_person_is_asked_for_it(name: str) -> None:
    assert bool(SETTINGS[name].setting.label) == (name in ASKED)
    assert SETTINGS[name].setting.help


@pytest.mark.parametrize("name", SETTINGS)
def test_each_choice_has_a_label(name: str) -> None:
    one = SETTINGS[name]
    assert tuple(one.setting.choices) == one.choices
    assert all(one.setting.choices.values())


def test_a_recipe_holds_what_makes_the_picture_what_it_is() -> None:
    assert SETTINGS.keys() - recorded(Blend(())).keys() == {"count", "preview_every"}


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("generate", ASKED),
        ("sweep", [name for name in ASKED if name != "count"]),
        ("again", OF_OLD_PICTURES),
    ],
)
def test_the_shell_has_an_option_for_each_setting(
    command: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([command, "--help"])
    said = capsys.readouterr().out
    sides = {"width": "size", "height": "size"}
    offered = {f"--{sides.get(name, SETTINGS[name].option)} " in said.replace("\n", " ") for name in names}
    assert offered == {True}
    others = [one.option for name, one in SETTINGS.items() if name not in names and name not in sides]
    assert [option for option in others if f"  --{option} " in said] == []


@pytest.mark.parametrize(
    ("steps", "strength", "kept"),
    [
        (100, 0, 0),
        (100, 0.29, 29),
        (100, 0.57, 57),
        (100, 0.001, 1),
        (4, 0.3, 1),
        (25, 0.5, 13),
        (1, 1, 1),
        (50, 1, 50),
    ],
)
def test_the_steps_of_a_strength_are_the_nearest_and_none_only_for_0(steps: int, strength: float, kept: int) -> None:
    assert strength_steps(steps, strength) == kept


BEST = Sampling("dpm++_karras", 12)


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (Sampling(), BEST),
        (Sampling(AUTO, 30), Sampling("dpm++_karras", 30)),
        (Sampling("unipc", 0), Sampling("unipc", 12)),
        (Sampling("ddim", 0), Sampling("ddim", 50)),
        (Sampling("own", 7), Sampling("own", 7)),
    ],
)
def test_what_is_left_to_a_model_is_as_it_draws_best(asked: Sampling, taken: Sampling) -> None:
    assert asked.by(BEST) == taken


def test_what_is_not_known_of_a_model_stays_left_to_it() -> None:
    assert Sampling().by(Sampling()) == Sampling()
    assert Sampling("ddim", 0).by(Sampling()) == Sampling("ddim", 50)
