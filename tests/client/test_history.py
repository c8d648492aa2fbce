"""Results outlive the editor, within limits, and what is damaged is passed over."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from plugin_client import history
from plugin_client.wire.messages import Blend, Picture, TextItem
from plugin_client.wire.paths import data_folder
from tests.client.scripted_daemon import recipe
from tests.client.shell import run

RECIPE = recipe(Blend((TextItem("a cat", 1.0),), width=32, height=16, seed=7))


def picture(value: int) -> Picture:
    return Picture(4, 2, 3, bytes([value] * 24))


def files() -> list[Path]:
    return sorted((data_folder() / history.FOLDER).iterdir())


def test_what_is_kept_comes_back_in_order_and_belongs_to_this_user_alone() -> None:
    kept = [history.keep([picture(value)], [RECIPE | {"seed": value}]) for value in (1, 2)]
    assert history.kept_results() == kept
    assert [stat.S_IMODE(file.stat().st_mode) for file in files()] == [0o600, 0o600]
    assert stat.S_IMODE(files()[0].parent.stat().st_mode) == 0o700


def test_nothing_is_kept_at_first_and_after_all_was_discarded() -> None:
    assert history.kept_results() == []
    first, second = history.keep([picture(1)], [RECIPE]), history.keep([picture(2)], [RECIPE])
    history.discard(first)
    history.discard(first)
    assert history.kept_results() == [second]
    history.discard_all()
    assert files() == []


def test_the_oldest_go_first_by_number_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_RESULTS", 3)
    kept = [history.keep([picture(value)], [RECIPE]) for value in range(5)]
    assert history.kept_results() == kept[2:]
    monkeypatch.setattr(history, "MOST_BYTES", 2 * files()[0].stat().st_size)
    newest = history.keep([picture(9)], [RECIPE])
    assert history.kept_results() == [kept[4], newest]


def test_the_frames_of_a_sweep_are_one_result_shown_by_the_middle_one() -> None:
    frames = [picture(value) for value in range(5)]
    sweep = history.keep(frames, [RECIPE] * 5)
    assert history.kept_results() == [sweep]
    assert (sweep.is_sweep, sweep.shown, sweep.bytes) == (True, frames[2], 5 * 24)


def test_what_has_no_room_by_itself_pushes_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = history.keep([picture(1)], [RECIPE])
    monkeypatch.setattr(history, "MOST_BYTES", files()[0].stat().st_size)
    assert history.keep([picture(2)] * 2, [RECIPE] * 2).shown == picture(2)
    assert history.kept_results() == [kept]


@pytest.mark.parametrize(
    "changes",
    [{"width": 5}, {"width": 0}, {"width": True}, {"channels": 2}, {"recipe": 3}, {"pixels": "???"}, {"pixels": ""}],
)
def test_a_damaged_file_is_passed_over(changes: dict[str, object]) -> None:
    history.keep([picture(1)], [RECIPE])
    (file,) = files()
    (frame,) = json.loads(file.read_text())["frames"]
    for damaged in (json.dumps({"frames": [frame, frame | changes]}), '{"frames": []}', "{"):
        file.write_text(damaged)
        assert history.kept_results() == []


def test_a_result_that_cannot_be_written_is_shown_all_the_same(home: Path) -> None:
    (home / history.FOLDER).write_text("no folder")
    assert history.keep([picture(1)], [RECIPE]).shown == picture(1)
    assert history.kept_results() == []


@pytest.mark.usefixtures("script")
def test_forget_deletes_the_results() -> None:
    history.keep([picture(1)], [RECIPE])
    assert run("forget") == 0
    assert history.kept_results() == []
