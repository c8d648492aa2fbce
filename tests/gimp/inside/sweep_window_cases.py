"""Sweeps in the dialog, in the GIMP of dialog_cases.py. Each case begins with a fresh image."""

from tests.gimp.inside.dialog_cases import (
    generate,
    open_dialog,
    open_with_a_prompt,
    open_with_two_layers,
    says,
    set_quick,
    undo_until,
)
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
    shown,
    spin,
    start_anew,
    toggle,
    wait_for,
)


def set_up_a_sweep():
    toggle("Sweep to other weights at the end")
    ends = wait_for("the weights at the end", lambda: shown("Weight at the end"))
    check([end.get_current_value() for end in ends], [0.0, 0.0, 2.0])
    ends[0].set_current_value(1.0)
    ends[2].set_current_value(0.0)
    spin("Frames", 3)
    shot("sweep")


def test_a_sweep_comes_as_a_group_of_frames_in_order_and_one_undo_removes_it():
    open_with_a_prompt()
    set_up_a_sweep()
    before = ask("images")
    generate()
    shot("sweep-done")
    name, timing = "Kandinsky sweep: 0.5 red + 0.5 blue + 1 a cat to 1 red, seed 7", "(100ms) (replace)"
    (after,) = ask("images")
    check(after[:-1], [name, *before[0][:-1]])
    frames = next(layer for layer in ask("frames") if isinstance(layer, list))
    check(frames[0], f"Frame 1 of 3 {timing}: 0.5 red + 0.5 blue + 1 a cat, seed 7")
    check(frames[1], f"Frame 2 of 3 {timing}: 0.75 red + 0.25 blue + 0.5 a cat, seed 7")
    check(frames[2], f"Frame 3 of 3 {timing}: 1 red, seed 7")
    undo_until(before)


def test_stop_ends_a_whole_sweep():
    open_with_a_prompt(steps=1000)
    set_up_a_sweep()
    before = ask("images")
    press("Generate")
    wait_for("a step", lambda: says("Picture 1 of 3, Denoising"))
    shot("sweep-progress")
    press("Stop")
    wait_for("the end", lambda: says("Stopped"))
    check(ask("images"), before)


def test_the_entry_for_sweeps_makes_an_image_of_frames():
    start_anew()
    ask("select_the_lowest_layer")
    open_dialog("Sweep from Weights to Weights")
    press("Add Prompt")
    one("Prompt", ROLE.TEXT).set_text_contents("a sky")
    ends = wait_for("the weights at the end", lambda: len(found := shown("Weight at the end")) == 2 and found)
    for end, weight in zip(ends, (0.2, 0.8), strict=True):
        end.set_current_value(weight)
    set_quick(steps=3)
    spin("Frames", 2)
    choose("Frames come as", "as a new image, to export as an animation")
    said = generate()
    shot("sweep-image")
    (made,) = (image for image in ask("images") if image[0].startswith("Frame "))
    assert made[1].startswith("Frame 1 of 2 (100ms) (replace): 1 "), made
    assert made[0].startswith("Frame 2 of 2 (100ms) (replace): 0.2 "), made
    check(len(made), 3)
    assert said.endswith("File > Export As makes an animation of it."), said
    close_the_dialog()
    check(ask("repeat_sweep"), made[:-1])


def test_a_sweep_is_one_result_that_comes_with_all_its_frames():
    open_with_two_layers()
    set_quick(steps=1)
    toggle("Sweep to other weights at the end")
    spin("Frames", 3)
    toggle("Results")
    toggle("Insert results by themselves")
    before = ask("images")
    assert generate().endswith("It waits among the results.")
    check(ask("images"), before)
    name = "Kandinsky sweep: 0.5 red + 0.5 blue to 1 blue, seed 7"
    wait_for("the thumbnail", lambda: find(name, ROLE.PUSH_BUTTON))[0].do_action(0)
    press("Insert")
    wait_for("the group", lambda: ask("images")[0][0] == name)
    (frames,) = (layer for layer in ask("frames") if isinstance(layer, list))
    check(len(frames), 3)
