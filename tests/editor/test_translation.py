"""Every text of the plug-in is there to be translated, and German is whole."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from install.translations import DOMAIN, FOLDER, SOURCES
from tests.gimp.editor import PROJECT

LOCALE = PROJECT / FOLDER
LANGUAGES = sorted(path.name for path in LOCALE.iterdir() if path.is_dir())
ROOMS = ("plugin_client/editor", "plugin_client/gimp")  # all of whose texts an artist may see
HELP = "run python3 install translate"
# What is to be seen at once, so that no letter may be claimed twice.
TOGETHER = (
    {
        "plugin_client/wire/settings.py",
        *(f"plugin_client/gimp/dialog/{name}.py" for name in ("adding", "progress", "settings", "size", "sweep")),
    },
    {"plugin_client/gimp/dialog/status.py"},
    {"plugin_client/gimp/procedures.py", "plugin_client/gimp/services.py"},
)


def catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_mo(file) if path.suffix == ".mo" else read_po(file)


def of_language(language: str, suffix: str) -> Catalog:
    return catalog(LOCALE / language / "LC_MESSAGES" / f"{DOMAIN}{suffix}")


def texts(messages: Catalog) -> dict[str, str]:
    return {str(message.id): str(message.string) for message in messages if message.id}


def template() -> Catalog:
    return catalog(LOCALE / f"{DOMAIN}.pot")


def test_the_template_holds_every_text_of_the_source_and_no_other() -> None:
    found = {
        message
        for source in SOURCES
        for _, _, message, *_ in extract_from_dir(PROJECT / source, keywords={"_": None, "N_": None})
    }
    assert found == set(texts(template())), HELP


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_is_whole(language: str) -> None:
    messages = of_language(language, ".po")
    assert set(texts(messages)) == set(texts(template())), HELP
    assert [message.id for message in messages if message.id and (not message.string or message.fuzzy)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_shipped_is_what_was_translated(language: str) -> None:
    assert texts(of_language(language, ".mo")) == texts(of_language(language, ".po")), HELP


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_fills_in_the_same_values(language: str) -> None:
    for text, translated in texts(of_language(language, ".po")).items():
        if is_filled_in(text):
            assert placeholders(translated) == placeholders(text), text


@pytest.mark.parametrize("language", ["", *LANGUAGES])
@pytest.mark.parametrize("files", TOGETHER, ids=" ".join)
def test_no_letter_is_claimed_twice(language: str, files: set[str]) -> None:
    translated = texts(of_language(language, ".po")) if language else {}
    shown = [str(message.id) for message in template() if files & {file for file, _ in message.locations}]
    letters = Counter(mnemonic(translated.get(text, text)) for text in shown if mnemonic(text))
    if files == TOGETHER[0] and not language:
        letters.update("lsrhcg")  # of what GIMP puts into the dialog itself, and of Generate
    assert "" not in letters, "a translation lacks the letter that the text has"
    assert [letter for letter, count in letters.items() if count > 1] == []


@pytest.mark.parametrize(
    "path",
    [path for room in ROOMS for path in sorted((PROJECT / room).rglob("*.py"))],
    ids=lambda path: path.stem,
)
def test_no_error_is_raised_with_a_text_that_cannot_be_translated(path: Path) -> None:
    raised = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise)]
    told = [node.exc.args[0] for node in raised if isinstance(node.exc, ast.Call) and node.exc.args]
    assert [ast.unparse(text) for text in told if isinstance(text, (ast.Constant, ast.JoinedStr))] == []


def placeholders(text: str) -> Counter[tuple[str | None, str | None]]:
    return Counter((name, conversion) for _, name, _, conversion in Formatter().parse(text) if name is not None)


def is_filled_in(text: str) -> bool:
    """Not so where the braces are those of JSON."""
    return re.search(r"\{\w+(!r)?\}", text) is not None


def mnemonic(text: str) -> str:
    found = re.search(r"_(\w)", text)
    return found[1].lower() if found else ""
