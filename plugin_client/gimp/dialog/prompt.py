"""A prompt: a field of several lines, which counts tokens and offers the prompts of before.

Return goes to the next line and Tab to the next field.
"""

from __future__ import annotations

from collections.abc import Callable

from gi.repository import Gdk, Gtk, Pango

from plugin_client.editor.prompt_history import last_prompts
from plugin_client.editor.tokens import LIMIT, about_tokens
from plugin_client.editor.translation import _
from plugin_client.gimp.dialog.widgets import icon_button, named
from plugin_client.wire.titles import one_line

LEAST_HEIGHT, MOST_HEIGHT = 56, 140  # px; a longer text scrolls
MARGIN = 6  # px around the text
EARLIER_WIDTH = 32  # px of the button in the corner
COUNTED_FROM = LIMIT // 2  # tokens: a short prompt needs no count
MENU_CHARS = 60


class PromptField(Gtk.Box):
    """`on_change` is called with the text after each change."""

    def __init__(self, text: str, on_change: Callable[[str], None]) -> None:
        super().__init__(orientation=Gtk.Orientation.VERTICAL, spacing=2, hexpand=True)
        self._menu: Gtk.Menu | None = None  # attached to no widget: a screen reader would not find it there
        self.view = Gtk.TextView(wrap_mode=Gtk.WrapMode.WORD_CHAR, accepts_tab=False)
        for side in ("left", "right", "top", "bottom"):
            self.view.set_property(f"{side}-margin", MARGIN)
        buffer = self.view.get_buffer()
        buffer.set_text(text)
        self._hint = Gtk.Label(
            label=_("A prompt, best in English"), halign=Gtk.Align.START, valign=Gtk.Align.START, margin=MARGIN
        )
        self._hint.get_style_context().add_class("dim-label")
        self._hint.set_no_show_all(True)
        self._hint.set_visible(not text)
        buffer.connect("changed", lambda _: self._changed(on_change))
        scroller = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER, shadow_type=Gtk.ShadowType.IN)
        scroller.set_propagate_natural_height(True)
        scroller.set_min_content_height(LEAST_HEIGHT)
        scroller.set_max_content_height(MOST_HEIGHT)
        scroller.add(named(self.view, _("Prompt")))
        field = Gtk.Overlay()
        field.add(scroller)
        field.add_overlay(self._hint)
        field.set_overlay_pass_through(self._hint, True)
        self._earlier = icon_button("document-open-recent", _("Earlier prompts"), self._open)
        self._earlier.set_halign(Gtk.Align.END)
        self._earlier.set_valign(Gtk.Align.START)
        self.view.set_right_margin(EARLIER_WIDTH)
        field.add_overlay(self._earlier)
        self._count = Gtk.Label(xalign=0.0, wrap=True, no_show_all=True)
        self.pack_start(field, True, True, 0)
        self.pack_start(self._count, False, False, 0)
        self._show_count(text)

    def _changed(self, on_change: Callable[[str], None]) -> None:
        buffer = self.view.get_buffer()
        text = buffer.get_text(*buffer.get_bounds(), False)
        self._hint.set_visible(not text)
        self._show_count(text)
        on_change(text)

    def _show_count(self, text: str) -> None:
        """Show the number of tokens where it comes near what the models read."""
        number = about_tokens(text)
        words = _("About {number} of {limit} tokens: what comes after them is not read") if number > LIMIT else ""
        self._count.set_text((words or _("About {number} of {limit} tokens")).format(number=number, limit=LIMIT))
        self._count.set_visible(number > COUNTED_FROM)

    def _open(self) -> None:
        """Open a menu of the prompts of before."""
        self._menu = Gtk.Menu()
        prompts = last_prompts()
        for prompt in prompts:
            item = Gtk.MenuItem(label=one_line(prompt))
            item.get_child().set_ellipsize(Pango.EllipsizeMode.END)
            item.get_child().set_max_width_chars(MENU_CHARS)
            item.connect("activate", lambda _, prompt=prompt: self.view.get_buffer().set_text(prompt))
            self._menu.append(item)
        if not prompts:
            self._menu.append(Gtk.MenuItem(label=_("No picture was made of a prompt yet"), sensitive=False))
        self._menu.show_all()
        gravity = Gdk.Gravity
        self._menu.popup_at_widget(self._earlier, gravity.SOUTH_EAST, gravity.NORTH_EAST, None)
