"""The lines of the blend pad, and the marks of results."""

from __future__ import annotations

from itertools import pairwise

from plugin_client.editor.blend_pad import Mark, line_between, mark_of
from plugin_client.wire.messages import Blend, EmbedsItem, TextItem


def test_a_line_has_both_ends_and_no_gap() -> None:
    line = line_between((3, 9), (10, 5))
    assert line[0] == (3, 9)
    assert line[-1] == (10, 5)
    assert all(max(abs(x - a), abs(y - b)) == 1 for (a, b), (x, y) in pairwise(line))


def test_the_mark_of_a_blend_knows_its_ingredients_weights_and_seed() -> None:
    items = (TextItem("a  cat", 0.25), EmbedsItem(b"", 0.75, "night"))
    assert mark_of(Blend(items=items, seed=7)) == Mark(("a cat", "night"), (0.25, 0.75), 7)
