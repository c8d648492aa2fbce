"""Errors carry data; each edge renders them."""

from __future__ import annotations

import pytest

from plugin_client.wire.errors import BadArgument, BadValue, JobFailed, Path, ProtocolError, UsageError, dotted, show
from plugin_client.wire.faults import Fault

GERMAN = {
    Fault.NOT_TEXT.value: "{name} ist {value}: muss Text sein",
    "frame {number} cannot be made: {reason}": "Bild {number} geht nicht: {reason}",
}


def in_german(sentence: str) -> str:
    return GERMAN.get(sentence, sentence)


def test_an_error_of_a_value_says_where_it_stands_what_it_is_and_why_it_cannot_be() -> None:
    error = BadValue(("submit", "items", 0, "text"), 7, Fault.NOT_TEXT)
    assert (error.path, error.value, error.fault, error.code) == (
        ("submit", "items", 0, "text"), 7, Fault.NOT_TEXT, "not-text",
    )  # fmt: skip
    assert str(error) == "submit.items[0].text is 7: must be text"


def test_an_edge_renders_it_in_its_own_language_and_under_its_own_name() -> None:
    error = BadArgument.of(BadValue(("text",), 7, Fault.NOT_TEXT))
    assert error.render(in_german, name="Satz") == "Satz ist 7: muss Text sein"


def test_an_error_within_an_error_is_rendered_with_it() -> None:
    reason = BadValue(("text",), 7, Fault.NOT_TEXT)
    error = UsageError("frame {number} cannot be made: {reason}", "frame", number=2, reason=reason)
    assert str(error) == "frame 2 cannot be made: text is 7: must be text"
    assert error.render(in_german) == "Bild 2 geht nicht: text ist 7: muss Text sein"


def test_a_mistake_of_the_caller_s_keeps_what_the_wire_found() -> None:
    found = BadValue(("steps",), 0, Fault.NOT_WHOLE_IN_RANGE, low=1, high=9)
    error = BadArgument.of(found)
    assert isinstance(error, UsageError)
    assert not isinstance(error, ProtocolError)
    assert (error.path, error.value, error.fault, error.data) == (found.path, found.value, found.fault, found.data)


@pytest.mark.parametrize("text", ["a {brace} and {0}", "100 %", "", "{"])
def test_a_sentence_without_data_is_taken_as_it_is(text: str) -> None:
    assert str(JobFailed("internal", text)) == text


def test_an_empty_sentence_is_not_translated() -> None:
    assert JobFailed("internal", "").render(lambda text: f"head of the catalogue {text}") == ""


def test_a_value_s_braces_are_no_gaps() -> None:
    assert str(BadValue(("x",), "{y}", Fault.NOT_A_MAP)) == "x is '{y}': must be a map"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ((), "the request"),
        (("items",), "items"),
        (("items", 0), "items[0]"),
        (("submit", "request", "items", 12, "weight"), "submit.request.items[12].weight"),
    ],
)
def test_a_path_is_written_as_a_program_would(path: Path, written: str) -> None:
    assert dotted(path) == written


@pytest.mark.parametrize("value", ["x" * 10**6, list(range(10**6)), b"x" * 10**6, {"x": "y" * 10**6}])
def test_a_value_is_shown_briefly_however_large_it_is(value: object) -> None:
    assert len(show(value)) < 100


@pytest.mark.parametrize("fault", Fault)
def test_every_fault_has_a_code_and_a_sentence_of_its_own(fault: Fault) -> None:
    assert Fault(fault.value) is fault
    assert fault.code.replace("-", "").isalnum()
