"""Claims of results, held by processes that live and found when they have died."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plugin_client.gimp.claims import FOLDER, Claim, Home, keep, take_lost
from plugin_client.gimp.placing import Area
from plugin_client.wire.endpoint import HOME_VARIABLE
from plugin_client.wire.errors import EndpointError, JobFailed, NoAnswer

CLAIM = Claim(
    "11111111-1111-4111-8111-111111111111",
    "0.5 Füchse, seed 7",
    Home("a-key", "file:///f.xcf", "40 x 30, rgb", Area(-1, 2, 3, 4), True),
)
HOLD = """
import sys
from plugin_client.gimp.claims import Claim, keep
held = keep(Claim(sys.argv[1], "1 a cat, seed 7", None))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path.chmod(0o700)
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    return tmp_path / FOLDER


def taken() -> list[Claim]:
    """The lost claims, which are lost again afterwards."""
    lost = take_lost()
    for held in lost:
        held.let_go()
    return [held.claim for held in lost]


def test_where_nothing_was_ever_claimed_nothing_is_lost() -> None:
    assert taken() == []


def test_a_held_claim_is_not_lost_and_one_let_go_is_found_whole() -> None:
    held = keep(CLAIM)
    assert taken() == []
    held.let_go()
    assert taken() == [CLAIM]


def test_a_claim_is_lost_when_its_process_is_killed_and_not_before() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, CLAIM.job], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        assert taken() == []
        process.kill()
    assert taken() == [Claim(CLAIM.job, "1 a cat, seed 7", None)]


def test_only_one_finds_it() -> None:
    keep(CLAIM).let_go()
    first, second = take_lost(), take_lost()
    assert ([held.claim for held in first], second) == ([CLAIM], [])
    first[0].settle(None)


def test_a_settled_claim_leaves_nothing(folder: Path) -> None:
    held = keep(CLAIM)
    assert len(list(folder.iterdir())) == 2
    held.settle(None)
    assert list(folder.iterdir()) == []


def test_a_failed_job_is_forgotten(folder: Path) -> None:
    keep(CLAIM).settle(JobFailed("internal", "it failed"))
    assert list(folder.iterdir()) == []


def test_a_job_that_may_go_on_is_lost() -> None:
    keep(CLAIM).settle(NoAnswer("silence"))
    assert taken() == [CLAIM]


def test_a_damaged_claim_is_removed(folder: Path) -> None:
    keep(CLAIM).let_go()
    (folder / f"{CLAIM.job}.json").write_text('{"job": ')
    assert taken() == []
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    folder.write_text("in the way")
    with pytest.raises(EndpointError, match="gimp-claims cannot be written: "):
        keep(CLAIM)
