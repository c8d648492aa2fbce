"""The reading of command lines, before anything is read or sent."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from plugin_client.cli.arguments import parse


def generate(*words: str) -> argparse.Namespace:
    return parse(["generate", "-o", "out.png", *words])


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the complaint about a command line with a mistake."""
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("kandinsky-blend: ")
    assert said.count("\n") == 1
    return said.removeprefix("kandinsky-blend: ").rstrip("\n")


@pytest.mark.parametrize("text", ["-cat", "--prompt", "-o", "-5", "- a cat", "", " -cat"])
def test_a_text_may_begin_with_a_dash(text: str) -> None:
    assert generate("--prompt", text, "1", "--prompt", "dog", "-0.5").items == [
        ("prompt", text, 1.0),
        ("prompt", "dog", -0.5),
    ]


def test_a_file_in_quotes_is_found_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    given = generate("--image", "~/cat.png", "1", "--prompt", "~/cat", "1", "--grid", "~/sheet.png")
    assert given.items == [("image", "/home/someone/cat.png", 1.0), ("prompt", "~/cat", 1.0)]
    assert given.grid == Path("/home/someone/sheet.png")
    assert parse(["again", "~/a.png", "-o", "~nobody-at-all/b.png"]).picture == Path("/home/someone/a.png")
    assert generate("--image", "~nobody-at-all/b.png", "1").items == [("image", "~nobody-at-all/b.png", 1.0)]


@pytest.mark.parametrize("words", [["--prompt", "cat"], ["--prompt"], ["--prompt=-cat", "1"], ["--prompt", "-cat"]])
def test_a_prompt_without_a_weight_is_shown_how(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, "generate", "-o", "out.png", *words)
    assert said == 'give a text and a weight, such as --prompt "a cat" 0.5; see kandinsky-blend generate --help'


def test_an_image_without_a_weight_is_shown_how(capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, "generate", "--image", "cat.png", "-o", "out.png")
    assert said == "give a file and a weight, such as --image cat.png 0.5; see kandinsky-blend generate --help"


@pytest.mark.parametrize("size", ["0x0", "768x0", "100000x100000", "2049x2048", "15x16"])
def test_a_size_out_of_range_is_told_the_range(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, "generate", "--prompt", "cat", "1", "-o", "out.png", "--size", size)
    assert f"argument --size: {size} is out of range: sides are 16 to 2048 px" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--prompt", "cat", "0,5"], "the weight of 'cat': '0,5' is no number: write 0.5"),
        (["--prompt", "cat", "1", "--guidance", "-,5"], "argument --guidance"),
        (["--prompt", "cat", "1", "--guidance", "2,5"], "'2,5' is no number: write 2.5"),
        (["--prompt", "cat", "1", "--steps", "2,5"], "'2,5' is no whole number;"),
        (["--prompt", "cat", "1,2,3"], "'1,2,3' is no number;"),
    ],
)
def test_a_decimal_comma_is_shown_with_a_point(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said in complaint(capsys, "generate", "-o", "out.png", *words)


def test_the_file_of_again_comes_before_its_weights(capsys: pytest.CaptureFixture[str]) -> None:
    said = complaint(capsys, "again", "--weights", "1", "b.png")
    assert "the file comes first: again b.png --weights ..." in said
    assert parse(["again", "b.png", "--weights", "1", "-2"]).weights == [1.0, -2.0]


@pytest.mark.parametrize("words", [["cancel", ""], ["fetch", " ", "-o", "out.png"]])
def test_an_empty_id_is_no_job(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "it is empty: give a job's id, or the beginning of it, from status" in complaint(capsys, *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["generate", "--frobnicate", "-o", "x.png"], "unrecognized arguments: --frobnicate"),
        (["generate", "--prompt", "cat", "1"], "the following arguments are required: -o/--output"),
        (["status", "--prompt", "-x"], "unrecognized arguments: --prompt -x"),
        (["show"], "the following arguments are required: FILE.png"),
    ],
)
def test_a_mistake_points_to_the_help_of_its_command(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint(capsys, *words) == f"{said}; see kandinsky-blend {words[0]} --help"


def test_a_mistake_outside_a_command_points_to_the_whole_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert complaint(capsys, "dance").endswith("; see kandinsky-blend --help")
