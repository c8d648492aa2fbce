"""The command: its arguments, its log and its end."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
from huggingface_hub import constants

from daemon.__main__ import main
from plugin_client.wire.messages import Cancel, Failed, JobInfo, ListModels, ModelList, Ping, Pong, Result
from tests.daemon.conftest import Daemons, blend, is_alive, wait_until
from tests.daemon.fake_engine import SLOW

# --- arguments ---------------------------------------------------------------------------------------------------


def left_with(arguments: list[str]) -> int:
    """The exit code of a command that ends while its arguments are read."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0)


def test_version_is_the_product_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(["--version"]) == 0
    assert capsys.readouterr().out == f"kandinsky-daemon {metadata.version('kandinsky-blend')}\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--memory", "8"], "argument --memory: '8' is no size: write for example 8GB or 500MB"),
        (["--memory", "0GB"], "argument --memory: '0GB' is nothing: models need memory"),
        (["--memory", "9" * 400 + "GB"], "is no size: write for example 8GB or 500MB"),
        (["--modell", "x"], "unrecognized arguments: --modell x"),
        (["--memory"], "argument --memory: expected one argument"),
        (["--memory", "lots"], "argument --memory: 'lots' is no size: write for example 8GB or 500MB"),
        (["--memory", "8 parsecs"], "'8 parsecs' is no size: write for example 8GB or 500MB"),
        (["--metrics", "70000"], "argument --metrics: '70000' is no port: give a number from 1 to 65535"),
        (["--model", ""], "a name of 0 characters: must have 1 to 200"),
        (["--model", "m\udcff"], "'m\\udcff' is no valid text: rename the folder in letters of UTF-8"),
        ([f"--model=m{n}" for n in range(65)], "65 models: a daemon offers at most 64"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("kandinsky-daemon: ")
    assert error.endswith(f"{complaint}; see kandinsky-daemon --help\n")
    assert error.count("\n") == 1


def test_a_model_that_cannot_be_used_is_named_before_anything_starts(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KANDINSKY_BLEND_HOME", str(tmp_path / "home"))
    broken = shutil.copytree(tiny_checkpoint, tmp_path / "broken")
    (broken / "decoder" / "unet" / "config.json").write_text("{")
    linked = shutil.copytree(tiny_checkpoint, tmp_path / "linked")
    shutil.rmtree(linked / "prior" / "tokenizer")
    (linked / "prior" / "tokenizer").symlink_to(tmp_path / "unmounted")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    for name, reason in {
        "./nope": "no model is called './nope'",
        str(tmp_path / "empty"): "it lacks prior/model_index.json",
        str(broken): "unet/config.json is not JSON",
        str(linked): "prior/tokenizer is a link to",
        "someone/model": "the hub cannot be reached (HF_HUB_OFFLINE is set)",
    }.items():
        assert main(["--model", str(tiny_checkpoint), "--model", name]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"kandinsky-daemon: the model {name} cannot be used: ")
        assert reason in error
    assert not (tmp_path / "home").exists()


def test_a_device_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(["--device", "abacus"]) == 2
    assert "invalid choice: 'abacus'" in capsys.readouterr().err


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    limits = "until it is released, for 24 hours at most; beyond 300 results or 1 GiB of pictures the oldest go first."
    assert limits in " ".join(text.split())
    for option in (
        "--model",
        "--device",
        "--precision",
        "--endpoint",
        "--memory",
        "--state",
        "--metrics",
        "--log-level",
        "--log-format",
    ):
        assert re.search(rf"^  {option}.*\n? +\S", text, re.MULTILINE)
    assert "--engine" not in text


def test_the_parent_of_the_models_imports_no_models() -> None:
    code = "import daemon.__main__, sys; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "daemon.server" in imported
    assert not {"mindspore", "numpy"} & set(imported)


def test_options_reach_the_engine(daemons: Daemons) -> None:
    daemons.start("--model=one", "--model=two", "--model=one", "--device=ascend", "--precision=bfloat16")
    with daemons.client() as client:
        assert isinstance(client.run(blend(model="two")), Result)
        pong = client.ask(Ping(), Pong)
        assert (pong.device, pong.precision) == ("ascend", "bfloat16")
        assert [model.name for model in client.ask(ListModels(), ModelList).models] == ["one", "two"]


# --- the end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_in_good_order(daemons: Daemons, number: signal.Signals) -> None:
    daemon = daemons.start("--state=none")
    with daemons.client() as client:
        running, queued = client.submit(blend("slow " * 100)), client.submit(blend())
        client.wait_for_progress(running)
        daemon.process.send_signal(number)
        signalled = time.monotonic()
        assert {end.code for end in client.outcomes(running, queued).values()} == {"cancelled"}
    assert daemon.wait() == 0
    assert time.monotonic() - signalled < 2
    assert daemons.left() == set()
    assert "Traceback" not in daemon.log


def test_a_signal_while_it_starts_leaves_nothing_behind(daemons: Daemons) -> None:
    daemon = daemons.launch()
    wait_until(lambda: list(daemons.home.glob("*.lock")), "the lock is taken")
    daemon.process.terminate()
    assert daemon.wait() == 0
    assert daemons.left() == set()
    assert "Traceback" not in daemon.log


def test_a_stop_does_not_wait_for_a_step_that_does_not_end(daemons: Daemons) -> None:
    daemon = daemons.start("--state=none")
    with daemons.client() as client:
        endless = client.submit(blend("endless"))
        client.wait_for_progress(endless)
        time.sleep(SLOW)  # it looks for a cancel once more before its step
        daemon.process.terminate()
        outcome = client.outcome(endless)
        assert isinstance(outcome, Failed)
        assert (outcome.code, "daemon was stopped" in outcome.message) == ("cancelled", True)
    assert daemon.wait() == 0
    assert daemons.left() == set()


def test_a_second_signal_ends_it_at_once(daemons: Daemons) -> None:
    daemon = daemons.start("--state=none")
    with daemons.client() as client:
        client.wait_for_progress(client.submit(blend("endless")))
        worker = daemon.worker
        daemon.process.terminate()
        wait_until(lambda: client.ask(Ping(), Pong).stopping, "the daemon is stopping")
        daemon.process.terminate()
        assert daemon.wait() == -signal.SIGTERM
    wait_until(lambda: not is_alive(worker), "the worker has ended")


def test_the_log_tells_the_endpoint_the_models_and_the_end(daemons: Daemons) -> None:
    daemon = daemons.start("--model=one", "--model=two")
    daemon.end()
    first, *_, last = daemon.log.splitlines()
    assert re.search(rf"kandinsky-daemon \S+ listens at {daemons.default_address} and offers one, two$", first)
    assert last.endswith("kandinsky-daemon has ended")


def test_the_log_tells_each_job_in_lines_for_people(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        done = client.run(blend("quick quick", width=32, seed=4))
        failed = client.run(blend("refuse"))
        cancelled = client.submit(blend("slow " * 50))
        client.wait_for_progress(cancelled)
        client.ask(Cancel(cancelled), JobInfo)
        assert isinstance(client.outcome(cancelled), Failed)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO +job "
    for line in (
        f"{done.job[:8]} accepted: 1 quick quick, seed 4",
        rf"{done.job[:8]} done in \d+\.\d s: 1 x 32x16, 2 steps",
        rf"{failed.job[:8]} failed after \d+\.\d s \(bad-request\): the prompt is not to my taste",
        rf"{cancelled[:8]} cancelled after \d+\.\d s",
    ):
        assert re.search(f"^{stamp}{line}$", daemon.log, re.MULTILINE), daemon.log
    assert len([line for line in daemon.log.splitlines() if done.job[:8] in line]) == 2


def test_the_log_can_be_read_by_programs(daemons: Daemons) -> None:
    daemon = daemons.start("--log-format=json")
    with daemons.client() as client:
        client.run(blend("stumble"))
    daemon.end()
    lines = [json.loads(line) for line in daemon.log.splitlines()]
    assert {"time", "level", "logger", "process", "message"} <= lines[0].keys()
    [mistake] = [line for line in lines if line["level"] == "error"]  # of the worker
    assert (mistake["logger"], "ZeroDivisionError" in mistake["traceback"]) == ("daemon.job_runner", True)
    assert mistake["process"] != lines[0]["process"] == daemon.process.pid


def test_what_comes_from_outside_forges_no_line_of_the_log(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        failed = client.run(blend("forge"))
    assert failed.message.count("\n") == 1
    line = re.compile(r" INFO +job [0-9a-f]{8} failed .* no 2026-01-01 INFO forged \[31mline$", re.MULTILINE)
    wait_until(lambda: line.search(daemon.log), "the failure is logged")  # by a thread of its own
    assert "\x1b" not in daemon.log
