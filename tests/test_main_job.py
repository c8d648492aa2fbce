"""The main job, end to end: real files, command line, daemon, worker and models, of which only the size is small."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plugin_client import canvas
from plugin_client.client import Client, make_blend, make_redraw
from plugin_client.job import Job
from plugin_client.pictures import to_image
from plugin_client.sweep import Sweep, frames_of
from plugin_client.wire import paths
from plugin_client.wire.errors import JobCancelled, JobFailed
from plugin_client.wire.messages import Blend, JobInfo
from tests.client.shell import run
from tests.refusals import refused

PROJECT = Path(__file__).parents[1]
PICTURES = PROJECT / "install" / "pictures"
ITEMS = ["--prompt", "a cat", "0.3", "--image", str(PICTURES / "cat.png"), "0.3"]
ITEMS += ["--image", str(PICTURES / "night.jpg"), "0.4"]
QUICK = ["--size", "100x70", "--steps", "3", "--prior-steps", "2", "--seed", "7"]
SMALL = {"size": (64, 64), "steps": 2, "prior_steps": 2, "seed": 7}

pytestmark = pytest.mark.timeout(300)


class Shell:
    """Runs the console commands in a home of its own."""

    def __init__(self, home: Path, model: Path) -> None:
        self.home = home
        self.model = model
        self.environment = os.environ | {paths.HOME_VARIABLE: str(home)}

    def run(self, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("kandinsky-blend")), *words]
        return subprocess.run(
            command, cwd=folder or self.home, env=self.environment, capture_output=True, text=True, check=False
        )

    def succeed(self, *words: str, folder: Path | None = None) -> str:
        done = self.run(*words, folder=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("home"), tiny_checkpoint)
    shell.home.chmod(0o700)
    yield shell
    shell.run("stop")


@pytest.fixture
def client(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of the daemon that the command line starts."""
    monkeypatch.setenv(paths.HOME_VARIABLE, str(shell.home))
    if shell.run("status").returncode:
        shell.succeed("start", "--model", str(shell.model))
    with Client() as client:
        yield client


def status_of(client: Client, job: Job) -> JobInfo:
    """What the daemon's list says of a job."""
    (status,) = [info for info in client.jobs() if info.job == job.id]
    return status


def test_two_pictures_and_a_prompt_become_a_picture_and_its_recipe_makes_it_again(shell: Shell, tmp_path: Path) -> None:
    shell.run("stop")
    said = shell.succeed("generate", *ITEMS, *QUICK, "--model", str(shell.model), "-o", "out.png", folder=tmp_path)
    assert said == "out.png\n"
    with Image.open(tmp_path / "out.png") as image:
        assert (image.size, image.mode) == ((100, 70), "RGB")
        assert np.asarray(image).std() > 1
        recipe = json.loads(image.text["kandinsky-blend"])
    assert [item["weight"] for item in recipe["items"]] == [0.3, 0.3, 0.4]

    # A new daemon, which has nothing in its cache, from another folder, without the source files.
    shell.succeed("stop")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "out.png").rename(elsewhere / "out.png")
    untold = shell.run("again", "out.png", folder=elsewhere)
    assert (untold.returncode, "--model FOLDER" in untold.stderr) == (2, True)
    assert str(shell.model.parent) not in json.dumps(recipe)
    shell.succeed("again", "out.png", "--model", str(shell.model), folder=elsewhere)
    assert (elsewhere / "out-again.png").read_bytes() == (elsewhere / "out.png").read_bytes()


def test_several_variations_and_their_grid(client: Client, shell: Shell, tmp_path: Path) -> None:
    shell.succeed("generate", *ITEMS, *QUICK, "--count", "3", "--grid", "grid.png", "-o", "v.png", folder=tmp_path)
    pictures = [(tmp_path / f"v-{n}.png").read_bytes() for n in (1, 2, 3)]
    assert len(set(pictures)) == 3
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.width * grid.height >= 3 * 100 * 70
    shell.succeed("again", "v-3.png", folder=tmp_path)
    assert (tmp_path / "v-3-again.png").read_bytes() == pictures[2]


def test_python_gets_a_picture_in_three_lines(client: Client, shell: Shell) -> None:
    with Image.open(PICTURES / "cat.png") as picture:
        items = [("a cat", 0.3), (picture, 0.3), (PICTURES / "night.jpg", 0.4)]
        image = client.blend(items, **SMALL)
        again = client.blend(items, **SMALL)
    assert image.size == (64, 64)
    assert image.tobytes() == again.tobytes()


def saved(source: Image.Image, path: Path) -> Image.Image:
    """The picture as a program reads it that knows no more than Pillow: 8 bits, RGB or RGBA."""
    source.save(path)
    if source.mode == "I;16":
        return Image.fromarray((np.asarray(source) // 257).astype(np.uint8)).convert("RGB")
    with Image.open(path) as image:
        return image.convert("RGBA" if image.has_transparency_data else "RGB")


def sources() -> dict[str, Image.Image]:
    """Pictures of 60 x 40 px by the names of their files."""
    with Image.open(PICTURES / "cat.png") as cat:
        colours = cat.convert("RGB").resize((60, 40))
    veiled = colours.copy()
    veiled.putalpha(colours.convert("L"))
    gray = colours.convert("L")
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    palette = colours.quantize(16)
    files = {"rgb.png": colours, "alpha.png": veiled, "gray.png": gray, "deep.png": deep, "palette.png": palette}
    return files | {"print.tif": colours.convert("CMYK")}


def test_whatever_the_picture_only_what_is_masked_changes_in_the_written_file(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8-bit pictures stay as their files have them; 16 bits are brought to 8, and CMYK to sRGB, before all else."""
    monkeypatch.chdir(tmp_path)
    mask = Image.new("L", (60, 40))
    mask.paste(255, (20, 10, 40, 30))
    mask.save("mask.png")
    kept = np.asarray(mask) == 0
    for name, source in sources().items():
        before = np.asarray(saved(source, tmp_path / name))
        command = f"repaint {name} --mask mask.png --size 96x64 --steps 2 --prior-steps 2 --seed 7 -o new-{name}.png"
        assert run(command, "--prompt", "a cat", "1") == 0
        with Image.open(f"new-{name}.png") as image:
            after = np.asarray(image)
        assert after.shape == before.shape, name
        assert (after[~kept] != before[~kept]).any(), name
        if name != "print.tif":
            assert np.array_equal(after[kept], before[kept]), name


def test_what_was_drawn_into_a_picture_is_made_again_from_its_file_byte_for_byte(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sources()["alpha.png"].save("photo.png")
    mask = Image.new("L", (60, 40))
    mask.paste(130, (20, 10, 40, 30))
    mask.save("mask.png")
    quick = ["--size", "96x64", "--steps", "2", "--prior-steps", "2", "--seed", "7"]
    commands = ("repaint photo.png --mask mask.png --prompt cat 1", "remove photo.png --mask mask.png")
    for command in (*commands, "extend photo.png --left 9", "refine photo.png --strength 0.6"):
        assert run(command, *quick, "-o", "out.png", "--force") == 0
        assert run("again out.png -o same.png --force") == 0
        assert Path("same.png").read_bytes() == Path("out.png").read_bytes(), command
    quick_tiles = ["--steps", "2", "--prior-steps", "2", "--seed", "7"]
    assert run("upscale photo.png --size 200x200 --strength 0.6 -o out.png --force", *quick_tiles) == 0
    assert run("again out.png -o same.png --force") == 0
    assert Path("same.png").read_bytes() == Path("out.png").read_bytes()
    assert run("refine photo.png --strength 0 -o back.png", *quick) == 0
    with Image.open("photo.png") as photo, Image.open("back.png") as back:
        assert (back.mode, back.tobytes()) == (photo.mode, photo.tobytes())

    Image.new("RGB", (4, 4)).save("tiny.png")
    capsys.readouterr()
    assert run("refine tiny.png -o no.png", *quick, "--quiet") == 1
    assert "the picture is 4 x 4 px: to be redrawn it must be at least 8 px on each side" in capsys.readouterr().err
    assert not Path("no.png").exists()


def test_a_picture_is_extended_in_python_with_previews_of_the_whole(client: Client) -> None:
    sheet = canvas.grown(PICTURES / "cat.png", right=64)
    long_enough = {"strength": 0.5, "preview_every": 1, "steps": 200}  # progress is told 20 times a second at most
    job = client.submit_drawing(sheet, make_redraw(sheet, **SMALL | long_enough))
    told = list(job.watch())
    assert {progress.steps for progress in told if progress.stage == "denoising"} <= {told[-1].steps}
    previews = [to_image(progress.preview) for progress in told if progress.preview]
    assert previews
    assert all((image.width > image.height) == (sheet.source.width > sheet.source.height) for image in previews)
    (image,) = client.fetch(job.id)
    job.release()
    assert image.size == sheet.image.size


def test_a_second_blend_of_other_weights_only_denoises(client: Client) -> None:
    def planned_steps(weight: float) -> int:
        job = client.submit([("a cat by the sea", weight), (PICTURES / "cat.png", 0.5)], **SMALL)
        job.result()
        steps = status_of(client, job).steps
        job.release()
        return steps

    denoising_and_decoding = SMALL["steps"] + 1
    assert planned_steps(0.5) >= denoising_and_decoding + SMALL["prior_steps"]
    assert planned_steps(0.8) == denoising_and_decoding


def test_the_daemon_answers_while_the_model_computes(client: Client) -> None:
    client.blend([("a cat", 1.0)], **SMALL)  # so that the models are loaded
    with Client() as other:
        job = client.submit([("a cat", 1.0)], **SMALL | {"size": (256, 256), "steps": 200})
        while status_of(client, job).stage != "denoising":
            time.sleep(0.02)
        waited = []
        for _ in range(100):
            asked = time.perf_counter()
            other.ping()
            waited.append(time.perf_counter() - asked)
        assert status_of(client, job).state == "running"
        job.cancel()
        assert max(waited) < 2  # s, on a machine that does much else


def test_cancel_is_acknowledged_at_once_and_takes_effect_within_a_step(client: Client) -> None:
    job = client.submit([("a cat", 1.0)], **SMALL | {"size": (256, 256), "steps": 1000})
    for progress in job.watch():
        if progress.stage == "denoising" and progress.step > 5:
            break
    asked = time.perf_counter()
    assert job.cancel().state in ("cancelling", "cancelled")
    assert time.perf_counter() - asked < 2  # of the minutes that the job takes
    with pytest.raises(JobCancelled):
        job.result()
    assert status_of(client, job).step <= progress.step + 3


def test_a_job_is_tried_again_after_a_killed_worker_and_fails_with_the_reason_after_two(
    client: Client, shell: Shell
) -> None:
    daemon = client.ping().pid
    job = client.submit([("a cat", 1.0)], **SMALL | {"steps": 1000})
    killed: set[int] = set()
    while len(killed) < 2:
        children = map(int, Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split())
        states = {info.job: info.state for info in client.jobs()}
        if states[job.id] == "running" and (worker := next((pid for pid in children if pid not in killed), None)):
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
        time.sleep(0.02)
    with refused(JobFailed, "worker-died") as failure:
        job.result()
    assert "killed" in failure.value.sentence
    assert client.blend([("a cat", 1.0)], **SMALL).size == (64, 64)


def test_a_recipe_of_other_weights_is_refused(client: Client, shell: Shell, tmp_path: Path) -> None:
    shell.succeed("generate", *ITEMS, *QUICK, "-o", "out.png", folder=tmp_path)
    other = tmp_path / "other"
    from tests.random_checkpoint import write_checkpoint

    write_checkpoint(other, "tiny_a", seed=1)
    second = Shell(tmp_path / "home", other)
    second.home.mkdir(mode=0o700)
    try:
        second.succeed("start", "--model", str(other))
        refused = second.run("again", "out.png", folder=tmp_path)
    finally:
        second.run("stop")
    assert refused.returncode == 1
    assert "fingerprint" in refused.stderr
    assert not (tmp_path / "out-again.png").exists()


def test_a_model_that_is_not_there_is_named(tmp_path: Path, tiny_checkpoint: Path) -> None:
    shell = Shell(tmp_path / "home", tmp_path / "no-such-model")
    shell.home.mkdir(mode=0o700)
    try:
        failed = shell.run("generate", *ITEMS, *QUICK, "--model", str(shell.model), "-o", "out.png")
        left = shell.run("status")
    finally:
        shell.run("stop")
    assert failed.returncode == 1
    assert "no-such-model" in failed.stderr
    assert failed.stderr.count("\n") <= 2
    assert "no daemon" in left.stderr  # that offers only what is not there


def test_from_the_second_frame_of_a_sweep_on_only_denoising_is_left_to_do(client: Client) -> None:
    words = f"a sweep at {time.monotonic()}"  # which the daemon has not seen yet
    blend = make_blend([(words, 0.9), (PICTURES / "night.jpg", 0.1)], **SMALL)
    jobs: list[Job] = []

    def submit(frame: Blend) -> Job:
        jobs.append(client.submit_blend(frame))
        return jobs[-1]

    sweep = Sweep(submit, frames_of(blend, (0.1, 0.9), 3))
    made = sweep.result()
    steps = [status_of(client, job).steps for job in jobs]
    sweep.release()
    denoising = SMALL["steps"] + 1  # and decoding
    assert steps[1] == steps[2] == denoising
    assert steps[0] >= denoising + SMALL["prior_steps"]  # the prior ran too
    assert len({picture.pixels for picture in made.pictures}) == 3
