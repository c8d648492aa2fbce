"""The blend pad and its drafts in a real GIMP; dialog_cases.py runs these too."""

from tests.gimp.inside.dialog_cases import generate, open_dialog, open_with_two_layers, says, seed_in, set_quick
from tests.gimp.inside.window import (
    ROLE,
    ask,
    check,
    close_the_dialog,
    extents,
    find,
    is_sensitive,
    is_switched_on,
    keys,
    one,
    press,
    set_size,
    shot,
    shown,
    spin,
    toggle,
    value,
    wait_for,
)


def test_the_puck_of_the_blend_pad_and_the_sliders_move_each_other():
    open_with_two_layers()
    pad = one("Blend pad", ROLE.PANEL)
    box = extents(pad)
    keys("mousemove", str(box.x + box.width // 10), str(box.y + box.height // 2), "click", "1")
    wait_for("all weight on the first", lambda: weights() == [1.0, 0.0])
    shot("pad")
    keys("key", "Right", "Right", "Right", "Right", "Right")
    wait_for("a quarter on the second", lambda: weights() == [0.75, 0.25])
    find("Weight", ROLE.SLIDER)[1].set_current_value(0.75)
    keys("key", "Right", "Right")  # from the middle, where the sliders have put it
    wait_for("the puck to have followed", lambda: weights() == [0.6, 0.9])
    keys("key", "shift+Right")
    wait_for("a fine step", lambda: weights() == [0.58, 0.92])
    check(one("Puck").get_description(), "39 % red, 61 % blue")


def test_a_point_of_the_blend_pad_is_moved_by_hand_and_a_click_on_it_gives_it_all_weight():
    open_with_two_layers()
    point = one("Point of blue", ROLE.PANEL)
    box = extents(point)
    at = box.x + box.width // 2, box.y + box.height // 2
    keys("mousemove", *map(str, at), "mousedown", "1")
    keys("mousemove_relative", "--", "-60", "-40")
    keys("mousemove_relative", "--", "-15", "-40")
    keys("mouseup", "1")
    wait_for("its new place", lambda: point.get_description().endswith("down: 0 %"))
    shot("pad-moved")
    check(weights(), [0.5, 0.5])
    box = extents(point)
    keys("mousemove", str(box.x + box.width // 2), str(box.y + box.height - 4), "click", "1")
    wait_for("all weight on it", lambda: weights() == [0.0, 1.0])


def test_a_dot_of_the_blend_pad_brings_back_weights_and_seed():
    open_with_two_layers()
    set_quick(steps=3)
    generate()
    find("Weight", ROLE.SLIDER)[1].set_current_value(0.1)
    spin("Seed", 9)
    shot("pad-dots")
    one("Result with the seed 7: 50 % red, 50 % blue", ROLE.PUSH_BUTTON).do_action(0)
    wait_for("the weights", lambda: weights() == [0.5, 0.5])
    check(value("Seed"), 7.0)


def test_a_draft_follows_the_weights_and_generate_makes_its_seed():
    open_with_two_layers()
    set_size(64, 48)
    spin("Steps", 9)
    before = ask("images")
    find("Weight", ROLE.SLIDER)[1].set_current_value(0.75)
    wait_for("the draft", lambda: says("Draft, drawn in ") and shown("Preview"))
    shot("draft")
    seed = value("Seed")
    check(ask("images"), before)
    check(float(seed_in(generate())), seed)


def test_drafts_that_were_switched_off_stay_off_in_the_next_dialog():
    open_with_two_layers()
    check(is_switched_on("Show drafts while weights are moved"), True)
    toggle("Show drafts while weights are moved")
    close_the_dialog()
    open_dialog()
    check(is_switched_on("Show drafts while weights are moved"), False)


def test_a_click_into_the_explore_sheet_takes_weights_and_seed():
    open_with_two_layers()
    set_quick(steps=1)
    press("Explore")
    name = "Row 2, column 4: 25 % red, 75 % blue, seed 8"
    wait_for("the sheet", lambda: is_sensitive("Row 5, column 5: 0 % red, 100 % blue, seed 11"))
    shot("explore")
    press(name)
    wait_for("the weights", lambda: weights() == [0.25, 0.75])
    check(value("Seed"), 8.0)
    wait_for("the sheet to close", lambda: not find(name))


def test_a_result_waits_in_the_history_until_it_is_inserted():
    open_with_two_layers()
    set_quick(steps=3)
    toggle("Results")
    toggle("Insert results by themselves")
    before = ask("images")
    assert generate().endswith("It waits among the results.")
    check(ask("images"), before)
    close_the_dialog()
    open_dialog()  # another process
    toggle("Results")
    check(is_switched_on("Insert results by themselves"), False)
    name = "Kandinsky: 0.5 red + 0.5 blue, seed 7, variation 1"
    wait_for("the thumbnail", lambda: find(name, ROLE.PUSH_BUTTON))[0].do_action(0)
    shot("history")
    press("Insert")
    made = "Kandinsky: 0.5 red + 0.5 blue, seed 7"
    wait_for("the layer", lambda: ask("images")[0][0] == made)
    press("Discard the result")
    wait_for("it to go", lambda: not find(name, ROLE.PUSH_BUTTON))


def weights():
    return [round(slider.get_current_value(), 2) for slider in find("Weight", ROLE.SLIDER)]
