"""Files that commands write: places where nothing can be written, and what they do not replace."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from plugin_client import pictures
from plugin_client.wire.messages import DaemonMessage, Failed, Picture, Submit
from tests.client.scripted_daemon import Script, ScriptedDaemon, result
from tests.client.shell import opened, run
from tests.client.test_sweep import Colours

pytestmark = pytest.mark.usefixtures("here")

MAKE = "generate --prompt cat 1 --size 16x16"
LONG = "x" * 300 + ".png"


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence that a command ended with."""
    error = capsys.readouterr().err
    assert error.startswith("kandinsky-blend: ")
    assert error.count("\n") == 1
    return error.removeprefix("kandinsky-blend: ").rstrip("\n")


# --- places ------------------------------------------------------------------------------------------------------

SWEEP = "sweep --prompt a 1 --prompt b 0 --to 0 1 --frames 20"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (f"{MAKE} -o {LONG}", "File name too long"),
        (f"{MAKE} --count 2 -o {'x' * 250}.png", "File name too long"),
        (f"{MAKE} --grid {LONG} -o out.png", "File name too long"),
        (f"{SWEEP} -o {'x' * 250}.png", "File name too long"),
        (f"{SWEEP} -o {'x' * 300}.gif", "File name too long"),
        (f"{MAKE} -o loop.png", "Too many levels of symbolic links"),
        (f"{MAKE} --grid loop.png -o out.png", "Too many levels of symbolic links"),
        (f"{MAKE} -o loop.png/out.png", "there is no folder loop.png"),
        (f"{MAKE} -o file.txt/out.png", "there is no folder file.txt"),
        (f"{MAKE} -o lost.png", "there is no folder "),
        (f"{MAKE} -o pipe.png", "it is a pipe, a socket or a device"),
        (f"again {LONG}", "File name too long"),
        ("again .", "Is a directory"),
        ("again /", "Is a directory"),
        (f"show {LONG}", "File name too long"),
        ("again loop.png", "Too many levels of symbolic links"),
        ("show loop.png", "Too many levels of symbolic links"),
        ("show pipe.png", "it is a pipe, a socket or a device"),
        (f"generate --image {LONG} 1 -o out.png", "File name too long"),
        ("generate --image loop.png 1 -o out.png", "Too many levels of symbolic links"),
        ("generate --image pipe.png 1 -o out.png", "it is a pipe, a socket or a device"),
        (f"fetch 1f2e -o {LONG}", "File name too long"),
    ],
)
@pytest.mark.timeout(30)
def test_a_place_that_cannot_be_is_one_sentence(
    script: Script, here: Path, command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "loop.png").symlink_to("loop.png")
    (here / "lost.png").symlink_to("nowhere/out.png")
    (here / "file.txt").touch()
    os.mkfifo(here / "pipe.png")
    assert run(command) == 2
    assert said in complaint(capsys)
    assert not script.submitted


@pytest.mark.parametrize(
    "command",
    [
        f"generate --image https://example.org/cat.png 1 {MAKE.removeprefix('generate')} -o out.png",
        "show http://example.org/cat.png",
        "again file:///home/me/cat.png",
    ],
)
def test_an_address_is_called_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 2
    address = next(word for word in command.split() if "://" in word)
    assert f"{address} is an address: download it and give the file" in complaint(capsys)


def test_a_result_goes_where_a_link_leads(script: Script, here: Path) -> None:
    (here / "shelf").mkdir()
    (here / "shelf" / "real.png").write_bytes(b"older")
    (here / "shelf" / "real.png").chmod(0o640)
    (here / "link.png").symlink_to("shelf/real.png")
    (here / "new.png").symlink_to("shelf/new.png")
    assert run(f"{MAKE} -o link.png --force") == 0
    assert run(f"{MAKE} -o new.png") == 0
    for name in ("link.png", "new.png"):
        assert (here / name).is_symlink()
        assert opened(here / name).size == (16, 16)
    assert stat.S_IMODE((here / "shelf" / "real.png").stat().st_mode) == 0o640
    assert sorted(path.name for path in (here / "shelf").iterdir()) == ["new.png", "real.png"]


# --- what is replaced --------------------------------------------------------------------------------------------

LOST = "is there already and would be lost: write to another file, or give --force"


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (f"{MAKE} -o out.png", "out.png"),
        (f"{MAKE} -o out.png --count 2", "out-2.png"),
        (f"{MAKE} -o new.png --grid out.png", "out.png"),
        (f"{SWEEP} -o out.gif", "out.gif"),
        (f"{SWEEP} -o out.png", "out-7.png"),
        ("again made.png -o out.png", "out.png"),
        ("again made.png", "made-again.png"),
    ],
)
def test_a_file_that_is_there_is_not_lost(
    script: Script, here: Path, command: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"{MAKE} -o made.png --quiet") == 0
    Image.new("RGB", (2, 2)).save(here / file)
    before, jobs = (here / file).read_bytes(), len(script.submitted)
    capsys.readouterr()
    assert run(command) == 2
    assert complaint(capsys) == f"{file} {LOST}"
    assert (here / file).read_bytes() == before
    assert len(script.submitted) == jobs
    assert run(f"{command} --force") == 0
    assert (here / file).read_bytes() != before


@pytest.mark.parametrize(
    "settings",
    ["--seed 7", "--seed 7 --count 2", "--seed 7 --steps 9 --model kandinsky-2-1", "--seed 7 --prompt none 0"],
)
def test_a_result_of_the_same_recipe_is_made_anew(script: Script, cat: Path, settings: str) -> None:
    command = f"{MAKE} --image cat.png 0.5 -o out.png {settings}"
    assert run(command) == 0
    assert run(command) == 0


@pytest.mark.parametrize(
    "changed",
    [
        "--seed 8",
        "--seed 7 --steps 9",
        "--seed 7 --prompt dog 1",
        "--seed 7 --size 32x16",
        "--seed 7 --model other",
        "",
    ],
)
def test_a_result_of_another_recipe_is_not_lost(
    script: Script, changed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"{MAKE} --seed 7 -o out.png") == 0
    capsys.readouterr()
    assert run(f"{MAKE} {changed} -o out.png") == 2
    assert complaint(capsys) == f"out.png {LOST}"


def test_a_sweep_may_be_made_anew(script: Script) -> None:
    for _ in range(2):
        assert run(f"{SWEEP} --size 16x16 --seed 7 -o out.png") == 0


class OtherWeights(Script):
    """The second job is made by another model than the first."""

    def end(self, submit: Submit) -> DaemonMessage:
        made = result(submit)
        return replace(made, recipe={**made.recipe, "model_hash": "f00d" if len(self.submitted) == 1 else "beef"})


def test_a_result_that_turns_out_to_be_another_is_kept_by_the_daemon(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ScriptedDaemon(OtherWeights()) as daemon:
        assert run(f"{MAKE} --seed 7 -o out.png --quiet") == 0
        before = (here / "out.png").read_bytes()
        capsys.readouterr()
        assert run(f"{MAKE} --seed 7 -o out.png --quiet") == 1
        job = list(daemon.script.submitted)[1]
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        "kandinsky-blend: out.png holds another picture, which would be lost; the daemon keeps the new one: "
        f"kandinsky-blend fetch {job[:8]} -o FILE.png writes it to another file, and with --force to this"
    )
    assert (here / "out.png").read_bytes() == before


def test_fetch_loses_no_picture_either(script: Script, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.client.cli.test_commands import JOB_A, job_info

    assert run(f"{MAKE} --seed 7 -o out.png") == 0
    script.jobs = (job_info(JOB_A),)
    script.submitted[JOB_A] = Submit(JOB_A, replace(next(iter(script.submitted.values())).request, seed=8))
    before = (here / "out.png").read_bytes()
    capsys.readouterr()
    assert run("fetch 1f2e -o out.png --quiet") == 1
    assert "out.png holds another picture, which would be lost" in capsys.readouterr().err
    assert (here / "out.png").read_bytes() == before
    assert run("fetch 1f2e -o out.png --quiet --force") == 0


# --- seeds -------------------------------------------------------------------------------------------------------


def test_a_drawn_seed_stands_behind_the_file_when_nothing_else_is_said(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"{MAKE} --count 2 --quiet -o out.png") == 0
    (seed,) = {submit.request.seed for submit in script.submitted.values()}
    assert capsys.readouterr().out == f"out-1.png\tseed {seed}\nout-2.png\tseed {seed}\n"
    assert run(f"{SWEEP} --size 16x16 --quiet -o out.gif") == 0
    assert capsys.readouterr().out == f"out.gif\tseed {list(script.submitted.values())[-1].request.seed}\n"


def test_a_seed_that_was_given_or_shown_does_not(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{MAKE} --seed 7 --quiet -o out.png") == 0
    assert capsys.readouterr().out == "out.png\n"
    assert run(f"{MAKE} -o other.png") == 0
    assert capsys.readouterr().out == "other.png\n"


# --- a sweep that ends early -------------------------------------------------------------------------------------


class Interrupted(Colours):
    """Makes two frames; Ctrl-C comes while the third is made."""

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        if len(self.submitted) < 3:
            return super().work(submit)
        import _thread

        threading.Timer(0.2, _thread.interrupt_main).start()
        return []


class Failing(Colours):
    """Makes two frames, and not the third."""

    def end(self, submit: Submit) -> DaemonMessage:
        if len(self.submitted) < 3:
            return super().end(submit)
        return Failed(submit.job, "out-of-memory", "12 GB are needed")


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [(Interrupted(), 130, "cancelled"), (Failing(), 1, "12 GB are needed")],
    ids=["Ctrl-C", "a frame that fails"],
)
@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_the_finished_frames_of_a_sweep_are_kept(
    here: Path, script: Colours, code: int, said: str, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    script.submitted.clear()
    with ScriptedDaemon(script):
        assert run(f"sweep --prompt a 1 --prompt b 0 --to 0 1 --frames 4 --size 16x16 --seed 1 -o out.{suffix}") == code
    told = capsys.readouterr()
    assert told.out.split() == (["out-1.png", "out-2.png"] if suffix == "png" else ["out.gif"])
    assert "kandinsky-blend: 2 of 4 frames are written\n" in told.err
    assert said in told.err
    assert sorted(path.name for path in here.iterdir()) == told.out.split()
    if suffix == "gif":
        with Image.open(here / "out.gif") as animation:
            assert animation.n_frames == 2


def test_a_sweep_without_a_finished_frame_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Nothing(Colours):
        def end(self, submit: Submit) -> DaemonMessage:
            return Failed(submit.job, "out-of-memory", "12 GB are needed")

    with ScriptedDaemon(Nothing()):
        assert run(f"{SWEEP} --size 16x16 -o out.png --quiet") == 1
    assert capsys.readouterr() == ("", "kandinsky-blend: 12 GB are needed\n")
    assert list(here.iterdir()) == []


def test_a_picture_with_the_same_pixels_is_seen_whatever_stands_beside_them(here: Path) -> None:
    pictures.write_png(here / "a.png", Picture(1, 1, 3, b"\1\2\3"), {})
    assert pictures.has_pixels_of((here / "a.png").read_bytes(), Picture(1, 1, 3, b"\1\2\3"))
