"""Presets: what is saved comes back, what is damaged is named and stays, and nothing is written by halves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugin_client.editor.presets import (
    FOLDER,
    Preset,
    read_preset,
    remove_preset,
    save_preset,
    saved_presets,
    settings_with_defaults,
    write_preset,
)
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import TextItem

SOFT = Preset("Soft", {"steps": 30, "guidance": 2.5, "seed": 7}, (TextItem("a cat", 0.5), TextItem("Häuser", -1.0)))


def test_what_is_saved_comes_back_by_name_and_goes_when_it_is_removed(home: Path) -> None:
    bold = Preset("bold", {}, ())
    for preset in (SOFT, bold):
        save_preset(preset)
    assert saved_presets() == ([bold, SOFT], [])
    again = Preset("Soft", {"steps": 5}, ())
    save_preset(again)
    assert saved_presets() == ([bold, again], [])
    remove_preset("Soft")
    assert saved_presets() == ([bold], [])


def test_any_name_has_a_file_in_the_folder(home: Path) -> None:
    name = "../../" + "猫" * 54
    save_preset(Preset(name, {}, ()))
    assert [preset.name for preset in saved_presets()[0]] == [name]
    assert len(list((home / FOLDER).iterdir())) == 1


def test_it_is_exported_and_imported_as_a_file(home: Path, tmp_path: Path) -> None:
    write_preset(SOFT, tmp_path / "soft.json")
    assert read_preset(tmp_path / "soft.json") == SOFT


def test_it_may_hold_the_settings_of_a_picture_that_is_drawn_into(home: Path) -> None:
    save_preset(Preset("Inner", {"strength": 0.5, "resamplings": 3}, ()))
    ((preset,), faults) = saved_presets()
    assert (preset.settings, faults) == ({"strength": 0.5, "resamplings": 3}, [])
    with pytest.raises(UsageError, match=r"strength is 2\.0: must be a number from 0 to 1"):
        save_preset(Preset("Outer", {"strength": 2.0}, ()))


def test_what_is_left_out_is_the_default() -> None:
    values = settings_with_defaults(SOFT)
    assert (values["steps"], values["prior_steps"]) == (30, 25)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("[]", "it must be a map of name, preset, prompts, settings"),
        ('{"preset": 0, "name": "a", "settings": {}, "prompts": []}', "it must be a map of name, preset, prompts, set"),
        ('{"preset": 1, "name": " ", "settings": {}, "prompts": []}', "the name of a preset is ' ': must have from 1"),
        ('{"preset": 1, "name": "a", "settings": [], "prompts": []}', "settings must be a map, and prompts a list"),
        ('{"preset": 1, "name": "a", "settings": {"steps": -1}, "prompts": []}', "settings.steps is -1"),
        ('{"preset": 1, "name": "a", "settings": {"colour": 1}, "prompts": []}', "settings has"),
        ('{"preset": 1, "name": "a", "settings": {}, "prompts": [{"text": "a"}]}', "prompts[0]"),
    ],
)
def test_a_damaged_file_is_named_left_alone_and_in_nobodys_way(home: Path, text: str, reason: str) -> None:
    save_preset(SOFT)
    damaged = home / FOLDER / "damaged.json"
    damaged.write_text(text)
    presets, (fault,) = saved_presets()
    assert presets == [SOFT]
    assert str(fault).startswith(f"{damaged} holds no preset, and was left alone: {reason}"), str(fault)
    assert damaged.read_text() == text


def test_a_preset_of_a_newer_version_is_refused_by_its_version(tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    path.write_text(json.dumps({"preset": 2, "words": []}))
    with pytest.raises(UsageError, match=r"new\.json is of version 2, and this program reads 1: update it"):
        read_preset(path)


def test_what_cannot_be_read_back_is_not_written(home: Path) -> None:
    save_preset(SOFT)
    with pytest.raises(UsageError, match=r"settings\.steps is -1"):
        save_preset(Preset("Soft", {"steps": -1}, ()))
    assert saved_presets() == ([SOFT], [])


def test_a_folder_that_cannot_be_written_is_named(home: Path) -> None:
    (home / FOLDER).write_text("")
    with pytest.raises(UsageError, match="the preset cannot be written to"):
        save_preset(SOFT)
