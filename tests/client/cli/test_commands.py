from __future__ import annotations

import _thread
import io
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from plugin_client import launch
from plugin_client.wire.messages import (
    Accepted,
    Blend,
    Cancel,
    DaemonMessage,
    Failed,
    Picture,
    PictureItem,
    Progress,
    Refusal,
    Release,
    Shutdown,
    Submit,
    TextItem,
)
from tests.client.scripted_daemon import Script, ScriptedDaemon, job_info
from tests.client.shell import opened, run, submitted

JOB_A, JOB_B = "1f2e3d4c-0000-4000-8000-000000000001", "1f99aaaa-0000-4000-8000-000000000002"


pytestmark = pytest.mark.usefixtures("here")


# --- generate ----------------------------------------------------------------------------------------------------


def test_generate_writes_the_picture_and_prints_where(
    script: Script, cat: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("generate --image cat.png 0.25 --size 32x16 --seed 7 -o out.png", "--prompt", "a cat", "0.75") == 0
    assert opened(here / "out.png").size == (32, 16)
    said = capsys.readouterr()
    assert said.out == "out.png\n"
    assert "seed 7\n" in said.err
    assert "denoising, 33%" in said.err
    assert "warning: the prompt was cut" in said.err
    picture = Picture(8, 8, 3, bytes([9]) * 192)
    assert submitted(script).items == (PictureItem(picture, 0.25, label="cat.png"), TextItem("a cat", 0.75))
    assert isinstance(script.asked[-1], Release)


def test_every_setting_reaches_the_daemon(script: Script, cat: Path) -> None:
    settings = (
        "--size 64x32 --steps 9 --guidance 2.5 --prior-steps 3 --prior-guidance 1 --decoder-prompt words --seed 5 "
        "--count 2 --blending spherical --normalise --sampler dpm++_karras --model kandinsky-2-1 --fit pad "
        "--backdrop #102030"
    )
    assert run(f"generate --image cat.png 1 -o out.png {settings} --negative", "low quality") == 0
    blend = submitted(script)
    (item,) = blend.items
    assert isinstance(item, PictureItem)
    assert (item.fit, item.backdrop) == ("pad", (16, 32, 48))
    assert blend == Blend(
        items=blend.items, width=64, height=32, steps=9, guidance=2.5, prior_steps=3, prior_guidance=1.0,
        negative="low quality", decoder_prompt="words", seed=5, count=2, blending="spherical", normalise=True,
        sampler="dpm++_karras", model="kandinsky-2-1",
    )  # fmt: skip


def test_settings_that_are_not_given_are_the_protocol_s(script: Script) -> None:
    assert run("generate --prompt cat 1 -o out.png --seed 0") == 0
    assert submitted(script) == Blend((TextItem("cat", 1.0),))


def test_several_variations_get_a_file_each_and_a_sheet(script: Script, here: Path) -> None:
    assert run("generate --prompt cat 1 -o out.png --size 16x16 --count 3 --grid sheet.png --quiet") == 0
    assert [opened(here / f"out-{n}.png").getpixel((0, 0))[1] for n in (1, 2, 3)] == [0, 1, 2]
    assert not (here / "out.png").exists()
    sheet = opened(here / "sheet.png")
    assert sheet.size == (32, 32)
    assert sheet.getpixel((31, 31)) == (255, 255, 255)


def test_quiet_says_nothing_but_what_matters(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate --prompt cat 1 -o out.png --size 16x16 --quiet") == 0
    assert capsys.readouterr().err == "warning: the prompt was cut\n"


def test_a_negative_weight_is_no_option(script: Script) -> None:
    assert run("generate --prompt cat 1 --prompt dog -0.5 -o out.png --size 16x16") == 0
    assert [item.weight for item in submitted(script).items] == [1.0, -0.5]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_that_vanishes(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setenv("COLUMNS", "100")
    assert run("generate --prompt cat 1 -o out.png --size 16x16 --seed 1") == 0
    first, *bars, after = stderr.getvalue().split("\r")
    assert first == "seed 1\n"
    assert bars[0] == "██████████░░░░░░░░░░░░░░░░░░░░  33%  denoising\x1b[J"
    assert after == "\x1b[Jwarning: the prompt was cut\n"


USAGE = [
    ("generate -o out.png", "nothing to blend: give at least one --prompt TEXT WEIGHT or --image FILE WEIGHT"),
    ("generate --prompt cat 1", "the following arguments are required: -o/--output"),
    ("generate --prompt cat -o out.png", "give a text and a weight"),
    ("generate --prompt cat much -o out.png", "the weight of 'cat': 'much' is no number"),
    ("generate --prompt cat nan -o out.png", "item 1: weight is nan: must be a number from -1000 to 1000"),
    ("generate --prompt cat 1001 -o out.png", "item 1: weight is 1001.0: must be a number from -1000 to 1000"),
    ("generate --prompt cat 0 -o out.png", "at least one must not be 0"),
    ("generate --prompt a 1 --prompt b -1 --normalise -o out.png", "sum to 0"),
    ("generate --prompt cat 1 -o out.jpg", "must end in .png"),
    ("generate --prompt cat 1 -o nowhere/out.png", "there is no folder nowhere"),
    ("generate --prompt cat 1 -o folder.png", "it is a folder"),
    ("generate --prompt cat 1 -o out.png --grid nowhere/sheet.png", "there is no folder nowhere"),
    ("generate --prompt cat 1 -o out.png --size 768", "'768' is no size: write WIDTHxHEIGHT"),
    ("generate --prompt cat 1 -o out.png --size 0x768", "0x768 is out of range: sides are 16 to 2048 px"),
    ("generate --prompt cat 1 -o out.png --size 768x4096", "4096 is out of range"),
    ("generate --prompt cat 1 -o out.png --steps 1001", "must be from 0 to 1000"),
    ("generate --prompt cat 1 -o out.png --steps few", "'few' is no whole number"),
    ("generate --prompt cat 1 -o out.png --guidance inf", "inf is out of range"),
    ("generate --prompt cat 1 -o out.png --seed -1", "-1 is out of range"),
    ("generate --prompt cat 1 -o out.png --count 65", "must be from 1 to 64"),
    ("generate --prompt cat 1 -o out.png --size 2048x2048 --count 64", "so many pictures of 2048 x 2048"),
    ("generate --prompt cat 1 -o out.png --blending cubic", "invalid choice: 'cubic'"),
    ("generate --image missing.png 1 -o out.png", "there is no picture file missing.png"),
    ("generate --image broken.png 1 -o out.png", "broken.png is a PNG picture, but damaged: "),
    ("generate --image cat.png 1 --backdrop sky -o out.png", "unknown colour 'sky'"),
    ("generate --prompt cat 1 -o out.png --endpoint http://x", "'http://x' is no endpoint"),
    ("again missing.png", "there is no picture file missing.png"),
    ("again broken.png", "broken.png is not readable as a PNG picture"),
    ("again cat.png", "cat.png carries no recipe"),
    ("again recipe-no-json.png", "the recipe in recipe-no-json.png is not readable as JSON"),
    ("again recipe-no-map.png", "the recipe in recipe-no-map.png is no map"),
    ("again recipe-old.png", "recipe-old.png cannot be made again: the recipe is of version 0"),
    ("again recipe-bad.png", "recipe-bad.png cannot be made again: recipe lacks the field 'items'"),
    ("cancel", "the following arguments are required: JOB"),
    ("dance", "invalid choice: 'dance'"),
    ("", "the following arguments are required: COMMAND"),
]  # fmt: skip


@pytest.mark.parametrize(("command", "said"), USAGE)
def test_a_mistake_in_the_command_is_one_sentence_and_exit_code_2(
    script: Script, cat: Path, here: Path, command: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "folder.png").mkdir()
    (here / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    for name, text in {"no-json": "{", "no-map": "[]", "old": '{"recipe": 0}', "bad": '{"recipe": 1}'}.items():
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("kandinsky-blend", text)
        Image.new("RGB", (2, 2)).save(here / f"recipe-{name}.png", pnginfo=chunks)
    code = run(command)
    error = capsys.readouterr().err
    assert said in error
    assert code == 2
    assert "Traceback" not in error
    assert error.startswith("kandinsky-blend: ")
    assert error.count("\n") == 1
    assert not script.submitted


# --- when it does not come off -----------------------------------------------------------------------------------


def outcome(script: Script, capsys: pytest.CaptureFixture[str], command: str = "generate --prompt cat 1") -> str:
    """Return the sentence of a command that fails."""
    with ScriptedDaemon(script):
        assert run(f"{command} -o out.png --size 16x16 --quiet") == 1
    return capsys.readouterr().err


class Failing(Script):
    def end(self, submit: Submit) -> DaemonMessage:
        return Failed(submit.job, "out-of-memory", "12 GB are needed and 8 GB are there")


def test_a_failed_job_says_why(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert outcome(Failing(), capsys) == "kandinsky-blend: 12 GB are needed and 8 GB are there\n"
    assert list(here.iterdir()) == []


class Refusing(Script):
    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        raise AssertionError

    def answer(self, message: Any) -> Iterable[DaemonMessage]:
        return [Refusal("unknown-model", "there is no model 'x' here: choose one of y")]


def test_a_refusal_says_why_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    said = "there is no model 'x' here: choose one of y, or run `kandinsky-blend stop` and ask again"
    assert outcome(Refusing(), capsys) == f"kandinsky-blend: {said}\n"


@pytest.mark.parametrize("command", ["status", "models", "stop", "cancel 1f2e", "fetch 1f2e -o out.png"])
def test_without_a_daemon_these_commands_say_so(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 1
    assert re.fullmatch(
        r"kandinsky-blend: no daemon runs at ipc://.*: start one with `kandinsky-blend start`\n",
        capsys.readouterr().err,
    )


def test_a_tcp_daemon_is_not_started_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate --prompt cat 1 -o out.png --endpoint tcp://127.0.0.1:5555") == 1
    assert "no daemon runs at tcp://127.0.0.1:5555" in capsys.readouterr().err


class Busy(Script):
    def answer(self, message: Any) -> Iterable[DaemonMessage]:
        answers = list(super().answer(message))
        return [Accepted(message.job, 2), *answers[1:]] if isinstance(message, Submit) else answers


def test_a_job_that_must_wait_says_for_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedDaemon(Busy()):
        assert run("generate --prompt cat 1 -o out.png --size 16x16") == 0
    assert "waiting for 2 other jobs\n" in capsys.readouterr().err


class Endless(Script):
    """Works until it is cancelled; Ctrl-C comes with the first step."""

    def work(self, submit: Submit) -> Iterable[DaemonMessage]:
        threading.Timer(0.2, _thread.interrupt_main).start()
        return [Progress(submit.job, "denoising", 1, 3, 0, 0.1, 100.0)]


def test_ctrl_c_cancels_the_job_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedDaemon(Endless()) as daemon:
        assert run("generate --prompt cat 1 -o out.png --size 16x16 --quiet") == 130
    assert isinstance(daemon.script.asked[-1], Cancel)
    assert capsys.readouterr().err == "kandinsky-blend: cancelled\n"


# --- jobs and the daemon -----------------------------------------------------------------------------------------


def test_status_shows_the_daemon_and_its_jobs(script: Script, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.jobs = (
        job_info(JOB_A, step=12, steps=75, elapsed=61, remaining=3723, title="0.3 a cat + 0.7 sky, seed 42"),
        job_info(JOB_B, "failed", steps=0, remaining=-1, title="1 a dog, seed 1", error="out of memory", ended=245.0),
    )
    assert run("status") == 0
    assert (
        capsys.readouterr().out
        == f"""\
daemon 0.1.0 at ipc://{home}/daemon.sock, process 4711
up 1:03, float32 on CPU, 2.1 GB of memory; 0 running, 0 waiting

JOB       STATE    STEP   TIME  LEFT     WHAT
1f2e3d4c  running  12/75  1:01  1:02:03  0.3 a cat + 0.7 sky, seed 42
1f99aaaa  failed   -      0:01  -        1 a dog, seed 1

JOB       FAILED    WHY
1f99aaaa  4:05 ago  out of memory
"""
    )


def test_cancel_takes_the_beginning_of_an_id(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.jobs = (job_info(JOB_A), job_info(JOB_B))
    script.submitted[JOB_A] = Submit(JOB_A, Blend((TextItem("x", 1.0),), width=16, height=16))
    assert run("cancel 1F2E") == 0
    assert capsys.readouterr().out == "job 1f2e3d4c is cancelling\n"
    assert script.asked[-1] == Cancel(JOB_A)


@pytest.mark.parametrize(("text", "said"), [("1f", "the ids of 2 jobs begin with '1f'"), ("77", "no job's id begins")])
def test_an_id_must_mean_one_job(script: Script, text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    script.jobs = (job_info(JOB_A), job_info(JOB_B))
    assert run(f"cancel {text}") == 2
    assert said in capsys.readouterr().err


def test_fetch_writes_what_a_job_made(script: Script, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script.jobs = (job_info(JOB_A),)
    script.submitted[JOB_A] = Submit(JOB_A, Blend((TextItem("x", 1.0),), width=16, height=16, count=2))
    assert run("fetch 1f2e -o got.png") == 0
    assert capsys.readouterr().out == "got-1.png\ngot-2.png\n"
    assert isinstance(script.asked[-1], Release)


def test_models_are_listed(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    assert (
        capsys.readouterr().out
        == """\
MODEL          ON DISK  LOADED  HASH          NOTE
kandinsky-2-1  13.2 GB  yes     f00df00df00d  random weights
"""
    )


def test_stop_that_takes_long_says_so(
    script: Script, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "STOP_SECONDS", 0.1)
    assert run("stop") == 0
    assert script.asked[-1] == Shutdown()
    assert capsys.readouterr().out == "the daemon stops when the step that it computes is done\n"


def test_start_beside_a_running_daemon_is_refused(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("start") == 2
    assert "a daemon runs at ipc://" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "generate", "again", "fetch", "status", "cancel", "models", "start", "stop"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(f"{command} --help") == 0
    out = capsys.readouterr().out
    assert "usage: kandinsky-blend" in out
    if command:
        assert "--endpoint" in out
