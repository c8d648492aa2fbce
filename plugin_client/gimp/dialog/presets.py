"""The button of the presets: a menu that brings one back, and saves, removes, imports and exports them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from gi.repository import Gdk, GLib, Gtk

from plugin_client.editor.presets import (
    MAX_NAME_CHARS,
    Preset,
    read_preset,
    remove_preset,
    save_preset,
    saved_presets,
    write_preset,
)
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.widgets import named, text_button
from plugin_client.wire.errors import UsageError

_ENDING = ".json"


class PresetButton(Gtk.Box):
    """Offers the presets of this user.

    Args:
        current: the preset of what is set, with a name.
        apply: brings a preset back.
        say: shows a line to the artist.
    """

    def __init__(
        self, current: Callable[[str], Preset], apply: Callable[[Preset], None], say: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._current = current
        self._apply = apply
        self._say = say
        self._menu: Gtk.Menu | None = None  # attached to no widget: a screen reader would not find it there
        self._button = text_button(_("Presets"), self._open)
        self._button.set_image(Gtk.Image.new_from_icon_name("pan-down-symbolic", Gtk.IconSize.BUTTON))
        self._button.set_always_show_image(True)
        self._button.set_image_position(Gtk.PositionType.RIGHT)
        self.pack_start(self._button, False, False, 0)

    def _open(self) -> None:
        presets, faults = saved_presets()
        self._say("\n".join(fault.render(_) for fault in faults))
        self._menu = Gtk.Menu()
        for preset in presets:
            self._menu.append(_item(preset.name, partial(self._apply, preset)))
        if presets:
            self._menu.append(Gtk.SeparatorMenuItem())
        self._menu.append(_item(_("Save As ..."), self._save))
        if presets:
            self._menu.append(_submenu(_("Remove"), presets, lambda preset: remove_preset(preset.name), self._try))
            self._menu.append(_submenu(_("Export"), presets, self._export, self._try))
        self._menu.append(_item(_("Import ..."), lambda: self._try(self._import)))
        self._menu.show_all()
        gravity = Gdk.Gravity
        self._menu.popup_at_widget(self._button, gravity.SOUTH_WEST, gravity.NORTH_WEST, None)

    def _save(self) -> None:
        name = _ask_name(self.get_toplevel())
        known = {preset.name for preset in saved_presets()[0]}
        if name and (name not in known or _may_replace(self.get_toplevel(), name)):
            self._try(lambda: save_preset(self._current(name)))

    def _export(self, preset: Preset) -> None:
        if path := _ask_file(self.get_toplevel(), Gtk.FileChooserAction.SAVE, f"{preset.name}{_ENDING}"):
            write_preset(preset, path)

    def _import(self) -> None:
        if path := _ask_file(self.get_toplevel(), Gtk.FileChooserAction.OPEN, ""):
            preset = read_preset(path)
            known = {one.name for one in saved_presets()[0]}
            if preset.name not in known or _may_replace(self.get_toplevel(), preset.name):
                save_preset(preset)
                self._apply(preset)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except UsageError as exc:
            self._say(exc.render(_))


def _item(label: str, on_choice: Callable[[], None]) -> Gtk.MenuItem:
    """An entry whose choice is heeded once the menu has gone: it may open a dialog, which runs a loop of its own."""
    item = Gtk.MenuItem(label=label)
    item.connect("activate", lambda _: GLib.idle_add(on_choice))
    return item


def _submenu(
    label: str,
    presets: list[Preset],
    action: Callable[[Preset], None],
    try_: Callable[[Callable[[], None]], None],
) -> Gtk.MenuItem:
    """An entry with the presets below it, for each of which the action is tried."""
    menu = Gtk.Menu()
    for preset in presets:
        menu.append(_item(preset.name, partial(try_, partial(action, preset))))
    item = Gtk.MenuItem(label=label)
    item.set_submenu(menu)
    return item


def _ask_name(parent: Gtk.Window) -> str:
    """A name for a preset; "" if the artist gives none."""
    dialog = Gtk.Dialog(title=_("Save a Preset"), transient_for=parent, modal=True)
    dialog.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
    dialog.add_button(_("_Save"), Gtk.ResponseType.OK)
    dialog.set_default_response(Gtk.ResponseType.OK)
    entry = named(
        Gtk.Entry(max_length=MAX_NAME_CHARS, activates_default=True, margin=12, width_chars=30), _("Name of the preset")
    )
    entry.set_placeholder_text(_("Name of the preset"))
    dialog.get_content_area().pack_start(entry, False, False, 0)
    dialog.show_all()
    name = entry.get_text().strip() if dialog.run() == Gtk.ResponseType.OK else ""
    dialog.destroy()
    return name


def _may_replace(parent: Gtk.Window, name: str) -> bool:
    question = Gtk.MessageDialog(
        transient_for=parent,
        modal=True,
        message_type=Gtk.MessageType.QUESTION,
        text=_("There is a preset {name} already.").format(name=name),
    )
    question.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
    question.add_button(_("_Replace It"), Gtk.ResponseType.OK)
    answer = question.run()
    question.destroy()
    return bool(answer == Gtk.ResponseType.OK)


def _ask_file(parent: Gtk.Window, action: Gtk.FileChooserAction, proposed: str) -> Path | None:
    """A file that the artist chooses; a file that is there is replaced only after a question."""
    is_saved = action == Gtk.FileChooserAction.SAVE
    accept = _("_Export") if is_saved else _("_Import")
    chooser = Gtk.FileChooserNative.new(_("Presets"), parent, action, accept, _("_Cancel"))
    if is_saved:
        chooser.set_do_overwrite_confirmation(True)
        chooser.set_current_name(proposed.replace("/", "-"))
    answer = chooser.run()
    name = chooser.get_filename()
    chooser.destroy()
    return Path(name) if answer == Gtk.ResponseType.ACCEPT and name else None
