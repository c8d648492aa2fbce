"""The cells of a sheet: what its axes change, and what is refused."""

from __future__ import annotations

import pytest

from plugin_client.drafts import draft_of
from plugin_client.explore import CELLS, GUIDANCES, drafts_of, sheet_of
from plugin_client.wire.errors import UsageError
from plugin_client.wire.limits import MAX_SEED
from plugin_client.wire.messages import Blend, TextItem


def blend(*weights: float) -> Blend:
    return Blend(items=tuple(TextItem(f"item {n}", weight) for n, weight in enumerate(weights)), seed=7, steps=50)


def weights_of(cell: Blend) -> list[float]:
    return [item.weight for item in cell.items]


def test_between_three_items_the_corners_of_their_triangle_have_all_weight() -> None:
    rows = sheet_of(blend(0.5, 1.0, 0.5))
    assert [len(row) for row in rows] == [CELLS] * CELLS
    assert weights_of(rows[0][2]) == [2, 0, 0]
    assert weights_of(rows[-1][-1]) == [0, 2, 0]
    assert weights_of(rows[-1][0]) == [0, 0, 2]
    for row in rows:
        for cell in row:
            assert sum(weights_of(cell)) == pytest.approx(2, abs=1e-3)
            assert cell.seed == 7


def test_between_two_items_the_columns_are_weights_and_the_rows_seeds() -> None:
    rows = sheet_of(blend(0.5, 0.5))
    assert [weights_of(cell) for cell in rows[3]] == [[1, 0], [0.75, 0.25], [0.5, 0.5], [0.25, 0.75], [0, 1]]
    assert [row[2].seed for row in rows] == [7, 8, 9, 10, 11]


def test_two_axes_that_were_chosen_change_alone() -> None:
    rows = sheet_of(blend(0.5, 0.3), across="weight-2", down="guidance")
    assert [weights_of(cell) for cell in rows[1]] == [[0.5, n / 4] for n in range(CELLS)]
    assert tuple(row[0].guidance for row in rows) == GUIDANCES


def test_the_drafts_of_a_sheet_stand_row_by_row() -> None:
    rows = sheet_of(blend(0.5, 0.5))
    assert drafts_of(rows)[CELLS + 2] == draft_of(rows[1][2])


@pytest.mark.parametrize(
    ("weights", "across", "down", "said"),
    [
        ([1.0], "", "", "there is one item: weights are explored between two or more"),
        ([0.5, 0.5], "seed", "", "an axis is missing: give both across and down, or none for the weights"),
        ([1.0], "weight-2", "seed", "'weight-2' is no axis of 1 items"),
        ([1.0], "size", "seed", "'size' is no axis of 1 items"),
    ],
)
def test_what_is_no_sheet_is_refused(weights: list[float], across: str, down: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        sheet_of(blend(*weights), across, down)


def test_seeds_beyond_the_last_are_refused() -> None:
    with pytest.raises(UsageError, match="seed"):
        sheet_of(Blend(items=(TextItem("a", 1.0), TextItem("b", 1.0)), seed=MAX_SEED))
