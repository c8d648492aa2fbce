"""Names of models, and the checkpoints that they stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kandinsky_backend.catalog import DEFAULT, FULL, TRAINED_SIDE, locate
from kandinsky_backend.checkpoint import CheckpointError


def test_a_hub_id_names_the_decoder_and_its_prior_is_beside_it():
    source = locate("someone/kandinsky-painting")
    assert (source.prior, source.decoder) == ("someone/kandinsky-painting-prior", "someone/kandinsky-painting")
    assert source.label == source.name == "someone/kandinsky-painting"


def test_the_default_ships_with_the_package_and_says_that_it_is_small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = locate(DEFAULT)
    for checkpoint in (source.prior, source.decoder):
        assert (Path(checkpoint) / "model_index.json").is_file()
    assert source.label == DEFAULT
    assert source.side < TRAINED_SIDE
    assert "small" in source.note
    assert FULL in source.note


def test_the_full_model_is_the_published_one():
    source = locate(FULL)
    assert source.decoder == "kandinsky-community/kandinsky-2-1"
    assert (source.side, source.note) == (TRAINED_SIDE, "")


def test_a_folder_holds_both_and_strangers_do_not_read_where_it_is(tiny_checkpoint):
    source = locate(str(tiny_checkpoint))
    assert source.prior == str(tiny_checkpoint / "prior")
    assert source.decoder == str(tiny_checkpoint / "decoder")
    assert source.label == f"{tiny_checkpoint.name}/"


def test_a_folder_that_is_no_model_is_refused_by_what_it_lacks(tmp_path):
    with pytest.raises(CheckpointError, match=r"lacks prior/model_index\.json"):
        locate(str(tmp_path))


@pytest.mark.parametrize("name", ["", "nonsense", "/no/such/folder", "a/b/c", "./relative", "~/missing"])
def test_a_name_that_is_none_of_these_says_what_may_be_given(name):
    with pytest.raises(CheckpointError, match=r"kandinsky-2-1.*a folder.*hub id"):
        locate(name)
