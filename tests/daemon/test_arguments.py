"""What kandinsky-daemon's options take. Nothing is started."""

from __future__ import annotations

from importlib import metadata

import pytest

from daemon.__main__ import main


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
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert left_with(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("kandinsky-daemon: ")
    assert error.endswith(f"{complaint}; see kandinsky-daemon --help\n")
    assert error.count("\n") == 1
