"""The sampler and the steps of a picture, and what comes of those that are left to the model."""

from __future__ import annotations

from collections.abc import Sequence

from gi.repository import Gimp, Gtk

from plugin_client.client import best_sampling
from plugin_client.editor.translation import _
from plugin_client.wire.messages import ModelInfo
from plugin_client.wire.settings import AUTO, Sampling


def sampling_in(config: Gimp.ProcedureConfig, offered: Sequence[ModelInfo]) -> Sampling:
    """The sampler and steps that the chosen one of these models takes for the values in `config`."""
    return _asked(config, config.get_property("steps")).by(_best(config, offered))


def _asked(config: Gimp.ProcedureConfig, steps: int) -> Sampling:
    return Sampling(config.get_property("sampler") or AUTO, steps)


def _best(config: Gimp.ProcedureConfig, offered: Sequence[ModelInfo]) -> Sampling:
    return best_sampling(offered, config.get_property("model") or "")


class StepsField:
    """Shows in a number's `field` how many steps the model takes where its value, 0, leaves them to it."""

    def __init__(self, field: Gtk.SpinButton, config: Gimp.ProcedureConfig) -> None:
        self._field = field
        self._config = config
        self._offered: Sequence[ModelInfo] = ()
        field.set_numeric(False)  # which would take no words
        field.connect("output", lambda _: self._show_choice_of_model())
        for name in ("sampler", "model"):
            config.connect(f"notify::{name}", lambda *_: field.update())

    def suit(self, offered: Sequence[ModelInfo]) -> None:
        """Show what whichever of these models is chosen takes, as far as that is known."""
        self._offered = offered
        self._field.update()

    def _show_choice_of_model(self) -> bool:
        """Write words instead of 0, which read as a number are 0 again; any other number writes itself."""
        if self._field.get_value():
            return False
        steps = _asked(self._config, 0).by(_best(self._config, self._offered)).steps
        self._field.set_text(_("auto: {steps}").format(steps=steps) if steps else _("auto"))
        return True
