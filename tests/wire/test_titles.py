from __future__ import annotations

import pytest

from plugin_client.wire.messages import Blend, EmbedsItem, Item, Picture, PictureItem, TextItem
from plugin_client.wire.titles import NAME_CHARS, TITLE_CHARS, cut, one_line, picture_name, prompt_name, request_title


def test_a_job_is_named_by_its_items_and_its_seed() -> None:
    items = (
        TextItem("a cat", 0.3),
        PictureItem(Picture(2, 2, 3, bytes(12)), -0.5, label="sky.png"),
        EmbedsItem(bytes(8), 1.0),
        TextItem("", 2.0),
    )
    assert request_title(Blend(items, seed=42)) == "0.3 a cat + -0.5 sky.png + 1 a picture + 2 nothing, seed 42"


def test_an_item_without_weight_is_left_out() -> None:
    assert request_title(Blend((TextItem("a cat", 1.0), TextItem("sky", 0.0)), seed=1)) == "1 a cat, seed 1"


def test_a_title_is_translated() -> None:
    german = {"{items}, seed {seed}": "{items}, Startwert {seed}", "nothing": "nichts"}
    assert request_title(Blend((TextItem("", 1.0),), seed=7), lambda text: german[text]) == "1 nichts, Startwert 7"


@pytest.mark.parametrize("count", [1, 32])
def test_a_title_is_one_short_printable_line(count: int) -> None:
    items: tuple[Item, ...] = (TextItem("a\n2026-01-01 INFO forged \x1b[31mline" + "x" * 4000, 0.1),) * count
    title = request_title(Blend(items, seed=2**53 - 1))
    assert len(title) <= TITLE_CHARS
    assert title.isprintable()
    assert title.startswith("0.1 a 2026-01-01 INFO forged")
    assert title.endswith(f"…, seed {2**53 - 1}")


def test_names_of_items_are_short_lines() -> None:
    assert prompt_name("a\0 cat\nby the  sea") == "a cat by the sea"
    assert picture_name("") == "a picture"
    assert len(prompt_name("x" * 500)) == len(picture_name("x" * 500)) == NAME_CHARS


def test_texts_are_cut_and_kept_on_their_line() -> None:
    assert cut("abcd", 4) == "abcd"
    assert cut("abcde", 4) == "abc…"
    assert one_line(" a\r\n\tb\x7f ") == "a b"
