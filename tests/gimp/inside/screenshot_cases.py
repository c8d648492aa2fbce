"""Takes a picture of each window, opened by keys, in any language. Nothing is checked but that it opens."""

import time

from tests.gimp.inside.window import (
    KEYS,
    ROLE,
    activate,
    all_of,
    ask,
    find,
    keys,
    one,
    open_entry,
    our_windows,
    press,
    report,
    shot,
    spin,
    start_anew,
    text_of,
    wait_for,
    windows_are_closed,
)

SETTLING = 1.0  # s, for thumbnails and what slides open


def show(words):
    keys("mousemove", "1", "1")  # or a hint of what opens under the pointer lies over the rest
    open_entry(words)
    wait_for("its widgets", lambda: all_of(ROLE.PUSH_BUTTON))
    time.sleep(SETTLING)


def picture(name):
    time.sleep(SETTLING)
    shot(name)


def test_every_window():
    for words in KEYS:
        if words == "Use These Settings Again":
            continue  # the same dialog as that of blends
        start_anew()
        ask("select")
        if words in ("Refine Layer", "Upscale Layer"):
            ask("select_the_lowest_layer")
        show(words)
        picture(words.split()[0].lower())


def is_made():
    return [text for text in text_of() if "Kandinsky: " in text]


def test_a_blend_from_its_start_to_its_end():
    start_anew()
    show("Blend Layers and Prompts")
    keys("key", "ctrl+Return")
    wait_for("a word, or the picture", lambda: all_of(ROLE.PROGRESS_BAR) or is_made())
    shot("running")
    wait_for("the picture", is_made)
    picture("done")


def test_a_blend_of_layers_and_a_prompt_half_way():
    start_anew()
    ask("star_and_ring")
    show("Blend Layers and Prompts")
    press(here(ROLE.PUSH_BUTTON, "Add Prompt", "Prompt hinzufügen"))
    keys("type", "a red ring on a blue background")
    sliders = find(here(ROLE.SLIDER, "Weight", "Gewicht"), ROLE.SLIDER)
    for slider, weight in zip(sliders, (0.5, 0.2, 0.3), strict=True):
        slider.set_current_value(weight)
    set_steps_and_seed(80)
    keys("key", "ctrl+Return")
    wait_for("half of the steps, or the picture", lambda: is_half_way() or is_made())
    shot("blending")


def set_steps_and_seed(steps):
    spin(here(ROLE.SPIN_BUTTON, "Steps", "Schritte"), steps)
    spin(here(ROLE.SPIN_BUTTON, "Seed", "Startwert"), 7)


def here(role, english, german):
    """The one of two names that a widget has."""
    return english if find(english, role) else german


def is_half_way():
    return any(bar.get_value_iface().get_current_value() > 0.5 for bar in all_of(ROLE.PROGRESS_BAR))


def test_a_repaint_as_a_layer_with_its_mask():
    start_anew()
    ask("star_to_repaint")
    show("Repaint Selection")
    set_steps_and_seed(50)
    one("Prompt", ROLE.TEXT).set_text_contents("a red circle")
    keys("key", "ctrl+Return")
    wait_for("the picture", lambda: [text for text in text_of() if "Kandinsky, " in text])
    picture("repainted")
    wait_for("the dialog to close", windows_are_closed)
    keys("search", "--name", "– GIMP$", "windowmove", "0", "0", "windowsize", "1020", "690")
    time.sleep(SETTLING)
    drag_the_docks_wider()
    ask("deselect")
    activate()
    keys("key", "shift+ctrl+j")  # fits the image into the window
    picture("repainted-layers")


def drag_the_docks_wider():
    """So that the names of layers are to be read."""
    keys("mousemove", "783", "360", "mousedown", "1")
    for x in range(780, 639, -20):
        keys("mousemove", str(x), "360")
    keys("mouseup", "1", "mousemove", "300", "655")


def test_a_prompt():
    start_anew()
    show("Text to Image")
    keys("type", "a red fox in the snow, in the style of an old woodcut")
    picture("prompt")


def test_help():
    start_anew()
    show("Blend Layers and Prompts")
    before = our_windows()
    keys("key", "F1")
    wait_for("the help", lambda: our_windows() > before)
    picture("help")


if __name__ == "__main__":
    report(globals())
