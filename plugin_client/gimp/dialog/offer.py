"""What the daemon offers, in the words of the dialog."""

from __future__ import annotations

from dataclasses import dataclass

from plugin_client.gimp.connection import connect_to_running
from plugin_client.gimp.report import DEVICES, PRECISIONS
from plugin_client.gimp.translation import _
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.messages import ModelInfo


@dataclass(frozen=True)
class Offer:
    """The models, the first of which is the daemon's default, and what it computes on and in."""

    models: tuple[ModelInfo, ...] = ()
    device: str = ""
    precision: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to ask."""
        return bool(self.models and self.device and self.models[0].side)

    @property
    def line(self) -> str:
        """E.g. "Computes on the processor (CPU), in full precision (float32)"."""
        if not self.models:
            return _("No daemon runs yet: the first picture starts one")
        if not self.device:
            return _("What the daemon computes on is known with the first picture")
        return _("Computes on {device}, in {precision}").format(
            device=DEVICES.get(self.device, self.device), precision=PRECISIONS.get(self.precision, self.precision)
        )

    def choices(self) -> list[tuple[str, str]]:
        """(name, label) of each model."""
        if not self.models:
            return [("", _("Default model"))]
        first = self.models[0]
        return [("", _("{model} (default)").format(model=_label(first)))] + [
            (model.name, _label(model)) for model in self.models[1:]
        ]


def ask_running() -> Offer:
    """What the daemon offers, if one runs: none is started only to show the dialog."""
    try:
        with connect_to_running() as client:
            models, pong = client.models(), client.ping()
    except KandinskyError:
        return Offer()
    return Offer(models, pong.device, pong.precision)


def _label(model: ModelInfo) -> str:
    return model.name.rstrip("/").rpartition("/")[2] or model.name
