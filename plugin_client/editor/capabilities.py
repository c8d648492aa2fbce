"""The daemon's models and hardware, in the words of a dialog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plugin_client.client import Client
from plugin_client.editor.report import DEVICES, PRECISIONS
from plugin_client.editor.translation import _
from plugin_client.wire.errors import UsageError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import ModelInfo, Refine, Repaint, Upscale

_UNABLE = {
    Refine.kind: N_("the model {model} cannot refine a picture: choose another model"),
    Repaint.kind: N_("the model {model} cannot draw into a part of a picture: choose another model"),
    Upscale.kind: N_("the model {model} cannot upscale a picture: choose another model"),
}


@dataclass(frozen=True)
class DaemonCapabilities:
    """The models, the first of which is the default, and the daemon's device and precision.

    All of them are empty while no daemon has answered; one that was just started does not know its own at once.
    """

    models: tuple[ModelInfo, ...] = ()
    device: str = ""
    precision: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to ask."""
        return bool(self.models and self.device and self.models[0].side)

    @property
    def line(self) -> str:
        """A line such as "Computes on the processor (CPU), in full precision (float32)"."""
        if not self.models:
            return _("No daemon runs yet: the first picture starts one")
        if not self.device:
            return _("What the daemon computes on is known with the first picture")
        return _("Computes on {device}, in {precision}").format(
            device=DEVICES.get(self.device, self.device), precision=PRECISIONS.get(self.precision, self.precision)
        )

    def drawing(self, chosen: str) -> str:
        """The name of the model that draws where `chosen` is set, "" being the default; "" while that is not known."""
        return chosen or (self.models[0].name if self.models else "")

    def choices(self) -> list[tuple[str, str]]:
        """(name, label) of each model; the default's name is ""."""
        if not self.models:
            return [("", _("Default model"))]
        first = self.models[0]
        return [("", _("{model} (default)").format(model=_label(first)))] + [
            (model.name, _label(model)) for model in self.models[1:]
        ]


def check_able(models: Sequence[ModelInfo], name: str, kind: str) -> None:
    """Check that a model, the first for "", does requests of a kind that draws into pictures, as far as is known.

    Raises:
        UsageError: it does not.
    """
    for model in [model for model in models if model.name == name] or models[:1]:
        if model.jobs and kind not in model.jobs:
            raise UsageError(_UNABLE[kind], "unable-model", model=_label(model))


def ask_capabilities(client: Client) -> DaemonCapabilities:
    """Ask the daemon for its models, device and precision, as far as it knows them. Errors as of Client.models."""
    models, pong = client.models(), client.ping()
    return DaemonCapabilities(models, pong.device, pong.precision)


def _label(model: ModelInfo) -> str:
    return model.name.rstrip("/").rpartition("/")[2] or model.name
