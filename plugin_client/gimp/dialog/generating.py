"""What the dialogs that make pictures share: each stays open from one picture to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from gi.repository import Gimp, GimpUi, Gtk

from plugin_client.client import model_here
from plugin_client.editor.background import Background
from plugin_client.editor.capabilities import DaemonCapabilities, ask_capabilities
from plugin_client.editor.library import limits_of
from plugin_client.editor.presets import Preset, settings_with_defaults
from plugin_client.editor.prompt_history import remember_prompts
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.jobs import Jobs, Preparation, Prepared
from plugin_client.gimp.dialog.models_window import ModelsWindow
from plugin_client.gimp.dialog.panel import Panel
from plugin_client.gimp.dialog.presets import PresetButton
from plugin_client.gimp.dialog.progress import ProgressPanel, sentence
from plugin_client.gimp.dialog.recovery_bar import RecoveryBar
from plugin_client.gimp.dialog.rows import IngredientRows, SweepIngredient
from plugin_client.gimp.dialog.seed import DRAWN
from plugin_client.gimp.dialog.settings import ASKED, Settings
from plugin_client.gimp.layer_reading import Reading
from plugin_client.gimp.main_loop import MainLoop
from plugin_client.job import BlendResult
from plugin_client.wire.errors import KandinskyError
from plugin_client.wire.messages import AnyRequest, TextItem
from plugin_client.wire.settings import SettingField

PREVIEW_EVERY = 3  # steps


class GeneratingDialog(ABC):
    """The ingredients and settings of a procedure, and the requests that are on their way.

    Args:
        procedure: whose values the dialog shows and changes.
        config: these values.
        image: that the pictures are for; None is a new one.
        title: of the window.
        recipe: the request that the values are of; its model is chosen once the daemon has told which ones it offers.
        own: the settings that the request has beside those of every blend.
    """

    def __init__(
        self,
        procedure: Gimp.Procedure,
        config: Gimp.ProcedureConfig,
        image: Gimp.Image | None,
        title: str,
        recipe: AnyRequest | None,
        own: Sequence[SettingField] = (),
    ) -> None:
        self._config = config
        self._image = image
        self._last: Gimp.Layer | None = None  # that was made
        self._recipe = recipe
        self._is_asking = False  # for the daemon's capabilities
        self._main_loop = MainLoop()
        self._progress = ProgressPanel()
        self._background = Background(self._main_loop)
        self._jobs = Jobs(self._progress, self._background, self._main_loop, self._insert, self._learn_capabilities)
        self._recovery_bar = RecoveryBar(self._background, self._main_loop)
        self._rows = IngredientRows(image, self._keep)
        self._settings = Settings(config, image, self._open_models, own)
        self._presets = PresetButton(self._preset, self._apply, self._progress.say)
        self._dialog = GimpUi.ProcedureDialog.new(procedure, config, title)
        self._dialog.set_ok_label(_("_Generate"))

    def _put_together(self, parts: Sequence[Gtk.Widget]) -> None:
        """Fill the dialog with the parts that scroll, and ask the daemon what it can do."""
        self._panel = Panel(self._dialog, [self._recovery_bar], parts, [self._progress])
        self._panel.on_height(self._progress.preview.fit_into)
        self._learn_capabilities()
        self._dialog.connect("focus-in-event", lambda *_: self._look_again())

    def run(self) -> Gimp.Layer | None:
        """Show the dialog until it is closed; the last layer that was made, if one was."""
        self._dialog.show_all()
        self._rows.take_focus()
        while self._panel.run():
            self._generate()
        self._close()
        return self._last

    def _close(self) -> None:
        """Give up what is still on its way."""
        self._panel.close()
        self._recovery_bar.close()
        self._jobs.close()
        self._background.close()

    @abstractmethod
    def _keep(self, contents: tuple[SweepIngredient, ...]) -> None:
        """Keep the ingredients, which have changed, in the values."""

    @abstractmethod
    def _ordered(self) -> Preparation | None:
        """The request with the values of this moment, whatever is changed later; None if the artist cancels.

        Raises:
            UsageError: there is nothing to draw, or the image has gone.
        """

    @abstractmethod
    def _insert(self, result: BlendResult, prepared: Prepared, took: str) -> Reading[str]:
        """Insert a result; what is to be said of it, as of OnResult."""

    @property
    def _preset_fields(self) -> Sequence[SettingField]:
        """The settings that a preset keeps."""
        return ASKED

    def _preset(self, name: str) -> Preset:
        """The preset of what is set."""
        fields = [
            one for one in self._preset_fields if one.name != "seed" or self._config.get_property("seed") != DRAWN
        ]
        # GIMP keeps an empty text as None.
        settings = {one.name: one.type(self._config.get_property(one.option) or one.type()) for one in fields}
        given = self._rows.ingredients
        return Preset(name, settings, tuple(one for one in given if isinstance(one, TextItem)))

    def _apply(self, preset: Preset) -> None:
        """Set what a preset holds of what the dialog has, beside the layers that are there."""
        self._show_prompts(preset.prompts)
        values = {**settings_with_defaults(preset), "seed": preset.settings.get("seed", DRAWN)}
        for one in self._preset_fields:
            if one.name in values:
                self._config.set_property(one.option, values[one.name])

    def _show_prompts(self, prompts: Sequence[TextItem]) -> None:
        """Show prompts in the place of those that are there."""
        kept = [row for row in self._rows.contents if not isinstance(row.ingredient, TextItem)]
        self._rows.show_contents([*kept, *(SweepIngredient(one, one.weight) for one in prompts)])

    def _look_again(self) -> None:
        """Read the image anew: the artist comes back from it."""
        self._rows.refresh()
        self._learn_capabilities()

    def _show_capabilities(self, known: DaemonCapabilities) -> None:
        """Show what the daemon can do, as far as it is known."""
        self._settings.show_capabilities(known)

    def _learn_capabilities(self) -> None:
        """Ask the daemon, if one runs: none is started only for this, and a new one does not know all of it at once."""
        if not self._settings.capabilities.is_complete and not self._is_asking:
            self._is_asking = True
            self._background.ask(ask_capabilities, self._learned)

    def _learned(self, answer: DaemonCapabilities | KandinskyError) -> None:
        self._is_asking = False
        known = DaemonCapabilities() if isinstance(answer, KandinskyError) else answer
        if self._recipe is not None and known.models:
            self._config.set_property("model", model_here(self._recipe, known.models))
            self._recipe = None
        self._show_capabilities(known)

    def _warnings(self, result: BlendResult) -> list[str]:
        """The daemon's warnings as sentences, but for what the dialog itself says of a model."""
        said = [model.note for model in self._settings.capabilities.models if limits_of(model.name)]
        return [sentence(warning) for warning in result.warnings if warning not in said]

    def _open_models(self) -> None:
        """Show which models there are, and let another one be fetched or chosen."""
        chosen = self._settings.capabilities.drawing(self._config.get_property("model") or "")
        ModelsWindow(self._dialog, self._background, self._main_loop, chosen, self._choose_model, self._ask_again)

    def _choose_model(self, name: str) -> None:
        """Draw with a model of this name."""
        self._config.set_property("model", name)
        self._ask_again()

    def _ask_again(self) -> None:
        """Ask the daemon which models it offers now."""
        self._background.ask(ask_capabilities, self._learned)

    def _generate(self) -> None:
        self._progress.say("")
        try:
            preparation = self._ordered()
        except KandinskyError as exc:
            self._progress.say(exc.render(_))
            return
        if preparation is not None:
            self._jobs.add(preparation)
            remember_prompts(one.text for one in self._rows.ingredients if isinstance(one, TextItem))
