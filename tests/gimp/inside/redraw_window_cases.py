"""The dialogs that draw into an image, in the GIMP of dialog_cases.py. Each case begins with a fresh image."""

from tests.gimp.inside.dialog_cases import generate, open_dialog, open_presets, says, undo_until
from tests.gimp.inside.window import (
    ROLE,
    SENSITIVE,
    ask,
    check,
    choose,
    close_the_dialog,
    entries,
    find,
    one,
    press,
    shot,
    spin,
    start_anew,
    text_of,
    value,
    wait_for,
)


def open_redraw(words, steps=4):
    """The dialog that draws into the image, with settings that make a picture soon."""
    open_dialog(words)
    for name, number in (("Steps", steps), ("Seed", 7)):
        spin(name, number)


def test_a_selection_is_repainted_in_one_undo_step():
    start_anew()
    ask("select_a_part")
    before = ask("images")
    open_redraw("Repaint Selection")
    assert says("Selected: "), text_of()
    press("Generate")
    wait_for("a refusal", lambda: says("There is nothing to blend"))
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    said = generate()
    shot("repaint")
    assert "Kandinsky, repainted: 1 a cat, seed 7." in said, said
    ((name, *below, _),) = ask("images")
    check((name, below), ("Kandinsky, repainted: 1 a cat, seed 7", before[0][:-1]))
    undo_until(before)


def test_presets_go_from_dialog_to_dialog_with_what_each_has():
    start_anew()
    ask("select_a_part")
    open_redraw("Repaint Selection", steps=9)
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    find("Strength", ROLE.SLIDER)[0].set_current_value(0.5)
    spin("Resamplings", 3)
    shot("repaint-more")
    open_presets("Save As ...")
    one("Name of the preset", ROLE.TEXT).set_text_contents("Inner")
    press("Save")
    wait_for("the dialog to go", lambda: not find("Name of the preset", ROLE.TEXT))
    close_the_dialog()
    open_redraw("Remove Selection")
    open_presets("Inner")
    wait_for("the strength", lambda: says("5 of 9 steps run"))
    check((value("Resamplings"), find("Prompt", ROLE.TEXT)), (3.0, []))
    assert "Kandinsky, repainted: 1 the surroundings, seed 7." in generate(), text_of()
    close_the_dialog()
    open_dialog()
    open_presets("Inner")
    wait_for("the prompt", lambda: entries("Prompt") == ["a cat"])
    check(value("Steps"), 9.0)


def test_resamplings_are_offered_where_a_part_is_drawn_into():
    start_anew()
    ask("select_a_part")
    open_redraw("Repaint Selection")
    assert can_be_changed("Resamplings")
    choose("Region", "The whole layer")
    wait_for("the field to be closed", lambda: not can_be_changed("Resamplings"))
    close_the_dialog()
    ask("select_the_lowest_layer")
    open_redraw("Refine Layer")
    check(find("Resamplings", ROLE.SPIN_BUTTON), [])


def can_be_changed(name):
    return one(name, ROLE.SPIN_BUTTON).get_state_set().contains(SENSITIVE)


def test_a_selection_is_removed_without_words_in_one_undo_step():
    start_anew()
    ask("select_a_part")
    before = ask("images")
    open_redraw("Remove Selection")
    check(find("Prompt", ROLE.TEXT), [])
    said = generate()
    assert "Kandinsky, repainted: 1 the surroundings, seed 7." in said, said
    undo_until(before)


def test_without_a_selection_the_dialog_says_so_and_offers_the_whole_layer():
    start_anew()
    ask("select_the_lowest_layer")
    open_redraw("Repaint Selection")
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    assert says("Nothing is selected: "), text_of()
    before = ask("images")
    press("Generate")
    wait_for("the refusal", lambda: len(says("Nothing is selected")) == 2)
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
    open_dialog("Use These Settings Again", "Refine Layer")
    wait_for("the settings", lambda: says("5 of 10 steps run"))


def test_a_layer_is_upscaled_and_its_settings_open_the_same_dialog_again():
    start_anew()
    ask("select_the_lowest_layer")
    before = ask("images")
    open_redraw("Upscale Layer", steps=10)
    assert says("2 of 10 steps run"), text_of()
    assert says("The layer keeps its size of 400 x 300 pixels"), text_of()
    spin("New width", 480)
    wait_for("the size", lambda: says("The layer is enlarged from 400 x 300 to 480 x 360 pixels"))
    assert "Kandinsky, upscaled: 1 the picture itself" in generate(), text_of()
    shot("upscale")
    close_the_dialog()
    open_dialog("Use These Settings Again", "Upscale Layer")
    wait_for("the settings", lambda: says("2 of 10 steps run"))
    check((value("New width"), value("New height")), (480.0, 360.0))
    close_the_dialog()
    undo_until(before)


def test_the_steps_that_run_are_those_of_the_model_where_they_are_left_to_it():
    start_anew()
    ask("select_the_lowest_layer")
    open_redraw("Refine Layer", steps=1)
    generate()
    spin("Steps", 0)
    wait_for("the steps", lambda: says("8 of 25 steps run"))  # with the strength 0.3


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
    open_dialog("Use These Settings Again", "Extend Canvas")
    wait_for("the settings", lambda: float(find("Left", ROLE.SPIN_BUTTON)[0].get_current_value()) > 0)
    close_the_dialog()
    undo_until(before)
