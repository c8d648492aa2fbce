"""The dialogs that draw into an image, in the GIMP of dialog_cases.py. Each case begins with a fresh image."""

from tests.gimp.inside.dialog_cases import generate, open_dialog, says, undo_until
from tests.gimp.inside.window import (
    ROLE,
    ask,
    check,
    choose,
    close_the_dialog,
    find,
    one,
    press,
    shot,
    spin,
    start_anew,
    text_of,
    wait_for,
)


def open_redraw(words, steps=4):
    """The dialog that draws into the image, with settings that make a picture soon."""
    open_dialog(words)
    one(words, ROLE.DIALOG)
    for name, number in (("Steps", steps), ("Seed", 7)):
        spin(name, number)


def test_a_selection_is_repainted_in_one_undo_step():
    start_anew()
    ask("select_a_part")
    before = ask("images")
    open_redraw("Repaint Selection")
    assert says("Selected: "), text_of()
    press("Generate")
    wait_for("a refusal", lambda: says("There is nothing to blend") or says("there is nothing to blend"))
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    said = generate()
    shot("repaint")
    assert said.endswith("Kandinsky, repainted: 1 a cat, seed 7."), said
    ((name, *below, _),) = ask("images")
    check((name, below), ("Kandinsky, repainted: 1 a cat, seed 7", before[0][:-1]))
    undo_until(before)


def test_a_selection_is_removed_without_words_in_one_undo_step():
    start_anew()
    ask("select_a_part")
    before = ask("images")
    open_redraw("Remove Selection")
    check(find("Prompt", ROLE.TEXT), [])
    said = generate()
    assert said.endswith("Kandinsky, repainted: 1 the surroundings, seed 7."), said
    undo_until(before)


def test_without_a_selection_the_dialog_says_so_and_offers_the_whole_layer():
    start_anew()
    ask("select_the_lowest_layer")
    open_redraw("Repaint Selection")
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    assert says("Nothing is selected: "), text_of()
    before = ask("images")
    press("Generate")
    wait_for("the refusal", lambda: len(says("Nothing is selected") + says("nothing is selected")) == 2)
    check(ask("images"), before)
    choose("Region", "The whole layer")
    wait_for("the region", lambda: says("The whole layer is drawn anew"))
    assert "refined: 1 a cat" in generate()
    undo_until(before)


def test_a_layer_is_refined_and_its_settings_open_the_same_dialog_again():
    start_anew()
    ask("select_the_lowest_layer")
    open_redraw("Refine Layer", steps=10)
    assert says("3 of 10 steps run"), text_of()
    find("Strength", ROLE.SLIDER)[0].set_current_value(0.5)
    wait_for("the steps", lambda: says("5 of 10 steps run"))
    generate()
    shot("refine")
    close_the_dialog()
    open_dialog("Use These Settings Again")
    one("Refine Layer", ROLE.DIALOG)
    wait_for("the settings", lambda: says("5 of 10 steps run"))


def test_the_canvas_grows_in_one_undo_step_and_by_the_same_pixels_again():
    start_anew()
    before = ask("images")
    open_redraw("Extend Canvas")
    assert says("The image does not grow yet"), text_of()
    choose("Aspect ratio", "16 : 9")
    wait_for("the size", lambda: says("The image grows from"))
    generate()
    shot("extend")
    close_the_dialog()
    open_dialog("Use These Settings Again")
    one("Extend Canvas", ROLE.DIALOG)
    wait_for("the settings", lambda: float(find("Left", ROLE.SPIN_BUTTON)[0].get_current_value()) > 0)
    close_the_dialog()
    undo_until(before)
