"""The help of the dialogs: GIMP's manual has no page about them."""

from __future__ import annotations

from gi.repository import Gtk

from plugin_client.editor.translation import _

WIDTH, HEIGHT = 460, 480  # px


def show_help(parent: Gtk.Window) -> None:
    """Show the page beside `parent`, which goes on."""
    window = Gtk.Dialog(title=_("Kandinsky Blend: Help"), transient_for=parent, modal=False)
    window.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
    window.set_default_size(WIDTH, HEIGHT)
    text = Gtk.Label(wrap=True, xalign=0.0, yalign=0.0, selectable=True, margin=12, max_width_chars=60)
    text.set_can_focus(False)  # or the page is scrolled to it a little
    text.set_markup("\n\n".join(f"<b>{head}</b>\n{body}" for head, body in _page()))
    scroller = Gtk.ScrolledWindow(hscrollbar_policy=Gtk.PolicyType.NEVER)
    scroller.add(text)
    window.get_content_area().pack_start(scroller, True, True, 0)
    window.connect("response", lambda window, _: window.destroy())
    window.show_all()


def _page() -> list[tuple[str, str]]:
    """Headings and what stands below them."""
    return [
        (
            _("Ingredients"),
            _(
                "Add prompts and layers, and give each a weight. Weights are used as they are: 0.5 and 0.5 lie "
                "halfway, 1 on one alone is that one, a negative weight leads away from it. The percentage beside a "
                "weight is its share of all. A prompt without words is left out."
            ),
        ),
        (
            _("Generate"),
            _(
                "Generate, or Ctrl+Return from everywhere, makes the picture; you can paint meanwhile. Press it again "
                "for the next one: they queue, each with its own Stop. A picture comes as a new layer above the "
                "selected one, over the selection or the whole image, in one undo step."
            ),
        ),
        (
            _("Seed"),
            _(
                "The same seed makes the same picture. With the lock open each picture gets another one, which stands "
                "in the name of its layer."
            ),
        ),
        (
            _("Again"),
            _(
                "Every picture carries its settings, also through saving as XCF: select its layer and open Use These "
                "Settings Again."
            ),
        ),
        (
            _("Trouble"),
            _(
                "Daemon Status shows the daemon that makes the pictures, its models and queue. If GIMP was closed "
                "meanwhile, the picture is offered when you open a dialog again, or by Recover Lost Results."
            ),
        ),
    ]
