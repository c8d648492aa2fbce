"""What README quotes is what the programs take."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from daemon.__main__ import build_parser as daemon_parser
from install.commands import COMMANDS
from plugin_client import launch
from plugin_client.cli.arguments import parse
from tests.backend.hub_server import serve
from tests.random_checkpoint import write_checkpoint

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text()


FULL = "kandinsky-community/kandinsky-2-1"
PARTS = {"": "decoder", "-prior": "prior"}  # of the full model, by the ends of their hub ids


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def command_lines() -> list[str]:
    return [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines() if line[:2] == "$ "]


@pytest.mark.parametrize("line", command_lines())
def test_a_quoted_command_is_one_that_the_program_takes(line: str) -> None:
    program, *arguments = shlex.split(line)
    if program == "kandinsky-blend":
        parse(arguments)
    elif program == "kandinsky-daemon":
        daemon_parser().parse_args(arguments)
    elif program == "python3":
        assert arguments[0].endswith("install")
        assert arguments[1] in {command.name for command in COMMANDS}
    else:
        assert program == "git" or (PROJECT / program).is_file()


def test_the_commands_of_every_program_are_quoted() -> None:
    programs = {shlex.split(line)[0] for line in command_lines()}
    assert programs >= {"kandinsky-blend", "kandinsky-daemon", "python3", ".ci/run"}


def test_ci_runs_the_quoted_commands() -> None:
    ci = (PROJECT / ".ci" / "run").read_text()
    assert "python3 install test" in ci
    assert "python3 install lint" in ci


@pytest.mark.parametrize("block", blocks("python"))
def test_quoted_python_imports_what_there_is(block: str) -> None:
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert [alias.name for alias in node.names if not hasattr(module, alias.name)] == []


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures that README names, and a tiny model."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(PROJECT / "install" / "pictures" / "night.jpg", folder)
    size = (160, 120)  # px: each tile of what is upscaled takes a second
    with Image.open(PROJECT / "install" / "pictures" / "cat.png") as cat:
        cat.resize(size).save(folder / "cat.png")
    mask = Image.new("L", size)
    mask.paste(255, (8, 8, 24, 24))
    mask.save(folder / "mask.png")
    write_checkpoint(folder / "model", "tiny_a")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("block", blocks("python"))
def test_quoted_python_runs(block: str, workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, but for the hub, the full model, the size of the picture and the number of frames."""
    monkeypatch.setenv("KANDINSKY_BLEND_HOME", str(workplace / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # so small a model gains nothing from more, and they spin
    script = block.replace("kandinsky-community/kandinsky-2-1-prior", str(workplace / "model" / "prior"))
    script = script.replace("kandinsky-community/kandinsky-2-1", str(workplace / "model" / "decoder"))
    script = re.sub(r"768|512", "64", script).replace("count=8", "count=2")
    repositories = {
        f"kandinsky-community/kandinsky-2-1{end}": workplace / "model" / part for end, part in PARTS.items()
    }
    with serve(repositories) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(workplace / "hf"))
        run(script, workplace)


def run(script: str, workplace: Path) -> None:
    """Run a script beside a daemon that ends with it."""
    with launch.start(None, []) as client:
        try:
            subprocess.run([sys.executable, "-c", script], cwd=workplace, check=True)
        finally:
            client.shutdown()


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?:)([^)]+)\)", README))
def test_a_link_leads_to_a_file(target: str) -> None:
    assert (PROJECT / target).is_file()
