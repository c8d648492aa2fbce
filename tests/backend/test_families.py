"""Names of models, and the checkpoints that they stand for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mindspore as ms
import pytest
from PIL import Image

from kandinsky_backend import families
from kandinsky_backend.blend import (
    Advance,
    BlendOutput,
    BlendRequest,
    EmbedsCache,
    Notice,
    Picture,
    Text,
    open_blender,
)
from kandinsky_backend.errors import BlendError, CheckpointNotFound
from kandinsky_backend.families import DEFAULT, FULL, KANDINSKY_2_1, locate
from kandinsky_backend.residency import Residency
from plugin_client.wire.settings import BlendSettings
from tests.backend.toy_family import TOY, write_toy_model
from tests.refusals import refused


def test_a_hub_id_names_the_decoder_and_its_prior_is_beside_it():
    source = locate("someone/kandinsky-painting")
    assert source.parts == {"prior": "someone/kandinsky-painting-prior", "decoder": "someone/kandinsky-painting"}
    assert source.origin == "someone/kandinsky-painting"
    assert source.family is KANDINSKY_2_1
    assert source.label == source.name == "someone/kandinsky-painting"


@pytest.mark.parametrize("family", [*families.FAMILIES, TOY], ids=lambda family: family.name)
def test_a_family_knows_what_its_pipelines_need_before_they_are_imported(family):
    for part in family.pipelines:
        assert sorted(family.components[part]) == sorted(family.pipeline(part).component_names())


def test_the_default_ships_with_the_package_and_says_that_it_is_small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = locate(DEFAULT)
    for checkpoint in source.parts.values():
        assert (Path(checkpoint) / "model_index.json").is_file()
    assert source.label == DEFAULT
    assert source.side < KANDINSKY_2_1.side
    assert "small" in source.note
    assert FULL in source.note


def test_the_full_model_is_the_published_one():
    source = locate(FULL)
    assert source.origin == "kandinsky-community/kandinsky-2-1"
    assert (source.side, source.note) == (768, "")


def test_a_folder_holds_both_and_strangers_do_not_read_where_it_is(tiny_checkpoint):
    source = locate(str(tiny_checkpoint))
    assert source.parts == {part: str(tiny_checkpoint / part) for part in ("prior", "decoder")}
    assert source.label == f"{tiny_checkpoint.name}/"


def test_a_folder_that_is_no_model_is_refused_by_what_it_lacks(tmp_path):
    with refused(CheckpointNotFound, "no-model", path=str(tmp_path), part="prior"):
        locate(str(tmp_path))


@pytest.mark.parametrize("name", ["", "nonsense", "/no/such/folder", "a/b/c", "./relative", "~/missing"])
def test_a_name_that_is_none_of_these_says_what_may_be_given(name):
    with refused(CheckpointNotFound, "unknown-model", name=name, known="embedded, kandinsky-2-1"):
        locate(name)


# --- a second family ---------------------------------------------------------------------------------------------


@pytest.fixture
def toy_model(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model of another family, which is registered."""
    monkeypatch.setattr(families, "FAMILIES", (TOY, *families.FAMILIES))
    write_toy_model(tmp_path / "toy", tiny_checkpoint)
    return tmp_path / "toy"


def test_a_folder_is_of_the_family_that_its_parts_name(toy_model, tiny_checkpoint):
    source = locate(str(toy_model))
    assert (source.family, source.side, source.label) == (TOY, TOY.side, "toy/")
    assert locate(str(tiny_checkpoint)).family is KANDINSKY_2_1


def test_a_folder_that_names_no_known_family_is_left_to_the_last(toy_model):
    for part in ("prior", "decoder"):
        (toy_model / part / "model_index.json").write_text("{")
    assert locate(str(toy_model)).family is KANDINSKY_2_1


@pytest.mark.usefixtures("toy_model")
def test_hub_ids_go_to_the_first_family_that_knows_them():
    toy = {"prior": "someone/toy-1-prior", "decoder": "someone/toy-1-decoder"}
    assert (locate("toy-1").family, locate("toy-1").parts) == (TOY, toy)
    assert (locate("someone/toy-1").family, locate("someone/toy-1").parts) == (TOY, toy)
    assert locate("someone/else").family is KANDINSKY_2_1
    with refused(CheckpointNotFound, "unknown-model", known="embedded, toy-1, kandinsky-2-1"):
        locate("nonsense")


def test_a_model_of_another_family_blends_without_a_change_of_the_blender(toy_model):
    blender = open_blender(locate(str(toy_model)), ms.float32, Residency(), EmbedsCache())
    settings = BlendSettings(width=100, height=70, steps=3, prior_steps=2, decoder_prompt="words")
    request = BlendRequest((Text("a cat", 0.4), Picture(Image.new("RGB", (40, 40), "red"), 0.6)), settings)
    *events, output = blender.run(request)
    assert isinstance(output, BlendOutput)
    assert output.image.size == (100, 70)
    assert (output.recipe["model"], output.recipe["model_hash"]) == ("toy/", blender.identity.model_hash)
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "the model reads no decoder prompt; it was left out"
    ]
    advances = [event for event in events if isinstance(event, Advance)]
    assert sum(event.stage == "denoising" and event.finished for event in advances) == 3
    assert sum(advances[-1].left.values()) == 0


def test_a_family_that_does_not_blend_is_refused(toy_model, monkeypatch):
    monkeypatch.setattr(families, "FAMILIES", (replace(TOY, jobs=()),))
    source = locate(str(toy_model))
    with refused(BlendError, "no-blends", name=source.name):
        open_blender(source, ms.float32, Residency(), EmbedsCache())
