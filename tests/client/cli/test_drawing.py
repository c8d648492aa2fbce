"""The commands that draw into a picture, and again of what they made."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from plugin_client import canvas, origins, pictures
from plugin_client.wire.messages import Refine, Repaint, TextItem, Upscale
from tests.client.scripted_daemon import OWN_SAMPLING, Script, job_info
from tests.client.shell import opened, run, submitted
from tests.client.test_canvas import SIZE, count_outside, mask_of, photo

pytestmark = pytest.mark.usefixtures("script")


@pytest.fixture(autouse=True)
def files(here: Path) -> None:
    photo().save(here / "photo.png")
    mask_of().save(here / "mask.png")


def test_repaint_writes_the_whole_picture_with_nothing_changed_outside(script: Script, here: Path) -> None:
    command = "repaint photo.png --mask mask.png --prompt cat 1 --strength 0.9 --resamplings 2 --seed 7 --count 2"
    assert run(f"{command} -o out.png") == 0
    request = submitted(script)
    assert isinstance(request, Repaint)
    assert request.items == (TextItem("cat", 1.0),)
    assert (request.strength, request.resamplings, request.seed) == (0.9, 2, 7)
    for n, name in enumerate(("out-1.png", "out-2.png")):
        made = opened(here / name)
        assert count_outside(photo(), made, mask_of()) == 0
        assert made.getpixel((320, 140)) == (7, n, 7)


def test_remove_sends_no_items(script: Script, here: Path) -> None:
    assert run("remove photo.png --mask mask.png -o out.png") == 0
    assert submitted(script).items == ()
    assert count_outside(photo(), opened(here / "out.png"), mask_of()) == 0


def test_refine_sends_the_whole_picture_and_says_how_many_steps_will_run(
    script: Script, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("refine photo.png --strength 0.29 --steps 100 --seed 7 --image photo.png 0.5 -o out.png") == 0
    assert capsys.readouterr().err.startswith("seed 7; 29 of 100 steps\n")
    request = submitted(script)
    assert isinstance(request, Refine)
    assert (request.strength, request.source.width, len(request.items)) == (0.29, SIZE[0], 1)
    assert opened(here / "out.png").size == SIZE


@pytest.mark.usefixtures("script")
def test_refine_says_how_many_steps_run_of_those_that_the_model_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("refine photo.png --strength 0.5 --seed 7 --image photo.png 0.5 -o out.png") == 0
    assert capsys.readouterr().err.startswith(f"seed 7; {OWN_SAMPLING.steps // 2} of {OWN_SAMPLING.steps} steps\n")


@pytest.mark.parametrize(
    ("options", "size"), [("", (1280, 800)), ("--size 900x900", (900, 562)), ("--factor 3", (1920, 1200))]
)
def test_upscale_makes_the_picture_larger_and_says_how_many_steps_will_run(
    script: Script, here: Path, options: str, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"upscale photo.png {options} --steps 50 --seed 7 -o out.png") == 0
    assert capsys.readouterr().err.startswith("seed 7; 10 of 50 steps of each tile\n")
    request = submitted(script)
    assert isinstance(request, Upscale)
    assert (request.target_width, request.target_height) == opened(here / "out.png").size == size


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("--left 60 --bottom 20", (700, 420)),
        ("--aspect 2:1", (800, 400)),
        ("--aspect 1", (640, 640)),
    ],
)
def test_extend_lets_the_picture_grow(here: Path, options: str, size: tuple[int, int]) -> None:
    assert run(f"extend photo.png {options} -o out.png") == 0
    assert opened(here / "out.png").size == size


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("repaint photo.png --mask mask.png -o out.png", "kandinsky-blend remove"),
        ("repaint photo.png --prompt cat 1 -o out.png", "--mask"),
        ("repaint photo.png --mask black.png --prompt cat 1 -o out.png", "the mask is black"),
        ("repaint photo.png --mask small.png --prompt cat 1 -o out.png", "the mask is of 9 x 9 pixels"),
        ("remove photo.png --mask white.png -o out.png", "mask covers the whole picture"),
        ("remove photo.png --mask none.png -o out.png", "none.png"),
        ("remove photo.png --mask mask.png -o mask.png", "would be lost"),
        ("remove photo.png --mask mask.png -o photo.png --force", "would be lost"),
        ("remove photo.png --mask mask.png -o black.png", "would be lost"),
        ("refine photo.png --strength 1.5 -o out.png", "1.5 is out of range"),
        ("refine photo.png --resamplings 2 -o out.png", "--resamplings"),
        ("upscale photo.png --size 639x639 -o out.png", "639 x 399 pixels are fewer than the 640 x 400 of the picture"),
        ("upscale photo.png --size 9000x9000 -o out.png", "sides are 1 to 8192 px"),
        ("upscale photo.png --factor 12 -o out.png", "7680 x 4800 pixels are too many for one picture"),
        ("upscale photo.png --factor 0.5 -o out.png", "0.5 is out of range"),
        ("upscale photo.png --factor 2 --size 900x900 -o out.png", "not allowed with"),
        ("extend photo.png -o out.png", "the picture does not grow"),
        ("extend photo.png --aspect 8:5 -o out.png", "the picture does not grow"),
        ("extend photo.png --aspect 99:1 -o out.png", "'99:1' is no aspect"),
        ("extend photo.png --aspect 0 -o out.png", "'0' is no aspect"),
        ("extend photo.png --aspect 1 --left 3 -o out.png", "give one of them"),
        ("extend photo.png --left -3 -o out.png", "-3 is out of range"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_sends_nothing(
    script: Script, here: Path, command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("L", SIZE).save(here / "black.png")
    Image.new("L", SIZE, 255).save(here / "white.png")
    Image.new("L", (9, 9), 255).save(here / "small.png")
    assert run(command) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert script.submitted == {}
    assert not (here / "out.png").exists()


# --- again -------------------------------------------------------------------------------------------------------

COMMANDS = {
    "repaint": "repaint photo.png --mask mask.png --prompt cat 1 --strength 0.9 --seed 7 -o out.png",
    "remove": "remove photo.png --mask mask.png --seed 7 -o out.png",
    "extend": "extend photo.png --top 9 --seed 7 -o out.png",
    "refine": "refine photo.png --seed 7 -o out.png",
    "upscale": "upscale photo.png --factor 1.5 --seed 7 -o out.png",
}
WITHOUT_MASK = ("refine", "upscale")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_again_needs_nothing_but_the_file(
    script: Script, here: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command) == 0
    first = submitted(script)
    script.submitted.clear()
    for name in ("photo.png", "mask.png"):
        (here / name).unlink()
    assert run("again out.png") == 0
    assert (here / "out-again.png").read_bytes() == (here / "out.png").read_bytes()
    assert "the same picture, byte for byte" in capsys.readouterr().err
    second = submitted(script)
    assert (type(second), second.source, second.strength) == (type(first), first.source, first.strength)


def test_again_with_changes_says_what_differs(script: Script, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(COMMANDS["repaint"]) == 0
    script.submitted.clear()
    assert run("again out.png --seed 8 -o new.png") == 0
    assert "changed: seed\n" in capsys.readouterr().err
    assert count_outside(photo(), opened(here / "new.png"), mask_of()) == 0
    assert opened(here / "new.png").getpixel((320, 140)) == (8, 0, 7)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("limit", [2500, 200])
def test_what_was_too_large_to_be_kept_is_asked_for(
    here: Path, command: str, limit: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The mask is kept without the picture where that alone is too large."""
    monkeypatch.setattr(canvas, "KEPT_BYTES", limit)
    assert run(COMMANDS[command]) == 0
    kept = canvas.read_kept(here / "out.png")
    assert kept is not None
    assert (kept.source, kept.mask is None) == (None, limit == 200 or command in WITHOUT_MASK)
    assert run("again out.png") == 2
    needed = "--source FILE" if kept.mask or command in WITHOUT_MASK else "--source FILE and --mask FILE"
    assert capsys.readouterr().err.endswith(f"give {needed}\n")
    if command == "extend" and not kept.mask:
        return  # its mask is small, and never left out
    options = "--source photo.png" if kept.mask or command in WITHOUT_MASK else "--source photo.png --mask mask.png"
    assert run(f"again out.png {options}") == 0
    assert (here / "out-again.png").read_bytes() == (here / "out.png").read_bytes()


def test_show_tells_what_was_drawn_into(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(COMMANDS["remove"]) == 0
    capsys.readouterr()
    assert run("show out.png") == 0
    said = capsys.readouterr().out.splitlines()
    told = dict(line.split(maxsplit=1) for line in said if line)
    assert told["-"] == "the surroundings"
    assert (told["kind"], told["strength"], told["inpainting"]) == ("repaint", "1", "known-region")


def test_show_tells_the_size_of_an_upscaled_picture_and_of_its_tiles(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(COMMANDS["upscale"]) == 0
    capsys.readouterr()
    assert run("show out.png") == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line)
    assert (told["kind"], told["size"], told["tile"], told["strength"]) == ("upscale", "960x600", "0x0", "0.2")
    assert "target_width" not in told


def test_a_blend_does_not_replace_what_was_drawn_into_a_picture(
    script: Script, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(COMMANDS["repaint"]) == 0
    assert run("generate --prompt cat 1 --seed 7 -o out.png") == 2
    assert "would be lost" in capsys.readouterr().err
    assert run("generate --prompt cat 1 --seed 7 -o blend.png") == 0
    assert run("again blend.png --source photo.png") == 2
    assert "leave --source and --mask out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--source other.png --mask mask.png", "source is another picture"),
        ("--source photo.png --mask gray.png", "mask is another picture"),
        ("--source other.png", "source is another picture"),
        ("--source tiny.png", "another picture than one of 8 x 8 pixels"),
        ("--mask mask.png", "give --source FILE and no more"),
    ],
)
def test_another_picture_than_the_recipe_s_is_refused(
    here: Path, options: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", SIZE).save(here / "other.png")
    Image.new("RGB", (8, 8)).save(here / "tiny.png")
    mask_of(value=99).save(here / "gray.png")
    assert run(COMMANDS["repaint"]) == 0
    capsys.readouterr()
    assert run(f"again out.png {options}") == 2
    assert said in capsys.readouterr().err
    assert not (here / "out-again.png").exists()


def test_again_upscales_to_another_size(script: Script, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(COMMANDS["upscale"]) == 0
    assert run("again out.png --size 1000x900") == 0
    assert opened(here / "out-again.png").size == (1000, 625)
    assert capsys.readouterr().err.endswith("changed: size\n")


# --- fetched by another command ----------------------------------------------------------------------------------


def left(script: Script, command: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a command that cannot write, and return the beginning of the id of the job that the daemon keeps."""
    with monkeypatch.context() as full:
        full.setattr(pictures, "write_png", raise_disk_full)
        assert run(command) == 1
    (job,) = script.submitted
    script.jobs = (job_info(job, "done"),)
    return job[:8]


def raise_disk_full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_fetch_writes_what_the_command_would_have_written(
    script: Script, here: Path, home: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(command) == 0
    script.submitted.clear()
    job = left(script, command.replace("out.png", "lost.png"), monkeypatch)
    (here / "mask.png").unlink()  # its region is noted
    assert run(f"fetch {job} -o got.png") == 0
    assert (here / "got.png").read_bytes() == (here / "out.png").read_bytes()
    assert list((home / origins.FOLDER).iterdir()) == []


def test_fetch_writes_what_again_would_have_written(
    script: Script, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(COMMANDS["extend"]) == 0
    script.submitted.clear()
    job = left(script, "again out.png -o lost.png", monkeypatch)
    assert run(f"fetch {job} -o got.png") == 0
    assert (here / "got.png").read_bytes() == (here / "out.png").read_bytes()


@pytest.mark.parametrize(
    ("command", "said", "size"),
    [
        (
            "repaint",
            "this is the region alone",
            (168, 208),
        ),
        ("refine", "the file does not hold what was drawn into", SIZE),
    ],
)
def test_fetch_says_that_the_picture_has_changed_and_writes_the_region(
    script: Script,
    here: Path,
    command: str,
    said: str,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = left(script, COMMANDS[command], monkeypatch)
    Image.new("RGB", SIZE).save(here / "photo.png")
    assert run(f"fetch {job} -o got.png") == 0
    changed = f"{here / 'photo.png'} holds another picture by now than the one that was sent"
    assert f"warning: {changed}: {said}\n" in capsys.readouterr().err
    assert opened(here / "got.png").size == size


@pytest.mark.parametrize("lost", ["photo.png", "note", "damaged note"])
def test_fetch_says_what_is_gone_and_writes_the_region(
    script: Script,
    here: Path,
    home: Path,
    lost: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = left(script, COMMANDS["remove"], monkeypatch)
    (note,) = (home / origins.FOLDER).iterdir()
    said = {
        "photo.png": f"there is no picture file {here / 'photo.png'}: this is the region alone",
        "note": "it is not known here what was drawn into: this is the region alone",
        "damaged note": "what was noted of the job is damaged",
    }[lost]
    if lost == "photo.png":
        (here / lost).unlink()
    elif lost == "note":
        note.unlink()
    else:
        note.write_text('{"box": [0, 1')
    assert run(f"fetch {job} -o got.png") == 0
    assert said in capsys.readouterr().err
    assert opened(here / "got.png").size == (168, 208)


def test_forget_removes_the_notes_of_its_jobs(script: Script, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left(script, COMMANDS["remove"], monkeypatch)
    assert len(list((home / origins.FOLDER).iterdir())) == 1
    assert run("forget") == 0
    assert list((home / origins.FOLDER).iterdir()) == []
