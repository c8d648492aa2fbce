"""The daemon's models and hardware in a dialog's words."""

from __future__ import annotations

import pytest

from plugin_client.client import Client
from plugin_client.editor.capabilities import DaemonCapabilities, ask_capabilities
from plugin_client.wire.messages import ModelInfo
from tests.client.scripted_daemon import Script

SMALL = ModelInfo("/models/small/", "", "", loaded=True, side=128)
FULL = ModelInfo("full", "", "", loaded=False, side=768)


@pytest.mark.parametrize(
    ("known", "line", "is_complete"),
    [
        (DaemonCapabilities(), "No daemon runs yet: the first picture starts one", False),
        (DaemonCapabilities((SMALL,)), "What the daemon computes on is known with the first picture", False),
        (
            DaemonCapabilities((SMALL,), "CPU", "float32"),
            "Computes on the processor (CPU), in full precision (float32)",
            True,
        ),
        (DaemonCapabilities((SMALL,), "GPU", "int4"), "Computes on GPU, in int4", True),
    ],
)
def test_what_is_known_is_said_in_a_line(known: DaemonCapabilities, line: str, is_complete: bool) -> None:
    assert (known.line, known.is_complete) == (line, is_complete)


def test_the_first_model_is_the_default_and_a_folder_goes_by_its_last_name() -> None:
    assert DaemonCapabilities((SMALL, FULL)).choices() == [("", "small (default)"), ("full", "full")]
    assert DaemonCapabilities().choices() == [("", "Default model")]


def test_a_running_daemon_is_asked_for_all_of_it(script: Script) -> None:
    script.models = (SMALL, FULL)
    with Client() as client:
        assert ask_capabilities(client) == DaemonCapabilities((SMALL, FULL), "CPU", "float32")
