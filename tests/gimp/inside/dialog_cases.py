"""The dialog in a real GIMP, step by step in this order, beside the daemon with the small model."""

import time

from tests.gimp.inside.window import (
    FOLDER,
    ROLE,
    activate,
    all_of,
    ask,
    check,
    choose,
    close_the_dialog,
    colour_at,
    entry,
    find,
    keys,
    one,
    open_entry,
    press,
    report,
    set_size,
    shot,
    shown,
    spin,
    starting,
    text_of,
    toggle,
    value,
    wait_for,
)


def says(start):
    return [text for text in text_of() if text.startswith(start)]


def wait_for_rows():
    wait_for("the rows", lambda: [name for name in text_of() if name in ("red", "blue")] == ["red", "blue"])


def test_the_selected_layers_come_in_as_rows():
    open_entry("Blend Layers and Prompts")
    one("Generate", ROLE.PUSH_BUTTON)
    wait_for_rows()
    check([name for name in text_of() if name.endswith("%")], ["50 %", "50 %"])


def test_a_prompt_is_added_and_each_share_follows_the_weights():
    press("Add Prompt")
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    sliders = find("Weight", ROLE.SLIDER)
    check(len(sliders), 3)
    sliders[2].set_current_value(1.0)
    wait_for("the shares", lambda: [name for name in text_of() if name.endswith("%")] == ["25 %", "25 %", "50 %"])
    shot("dialog")


def test_a_layer_is_added_from_a_list_that_knows_the_newest():
    ask("add_layer")
    press("Add Layer")
    one("clear", ROLE.MENU_ITEM)
    shot("add-layer")
    one("clear", ROLE.MENU_ITEM).do_action(0)
    wait_for("its row", lambda: "clear" in text_of())
    check(len(find("Weight", ROLE.SLIDER)), 4)


def test_the_backdrop_of_a_layer_is_chosen_where_it_shows_and_seen_at_once():
    check(shown("Backdrop of red"), [])  # nothing of it is to be seen
    check(colour_at(thumbnail(2), 0.5, 0.5), (255, 255, 255))
    press("Backdrop of clear")
    pick_a_colour()
    wait_for("the thumbnail", lambda: colour_at(thumbnail(2), 0.5, 0.5) != (255, 255, 255))
    choose("Fit of red", "Pad")
    wait_for("the button", lambda: shown("Backdrop of red"))
    wait_for("the thumbnail", lambda: colour_at(thumbnail(0), 0.5, 0.05) == (255, 255, 255))
    shot("backdrop")
    choose("Fit of red", "Crop the centre")
    find("Remove", ROLE.PUSH_BUTTON)[3].do_action(0)
    ask("remove_layer")


def thumbnail(number):
    return find("What the model sees of it")[number]


def pick_a_colour():
    one("Select", ROLE.PUSH_BUTTON)
    shot("colour-chooser")
    swatches = [node for node in all_of(ROLE.RADIO_BUTTON) if node.get_name()]
    swatches[0].do_action(0)
    press("Select")


def test_the_size_is_that_of_the_image_the_selection_or_what_is_typed():
    assert says("Made at 591 x 443, placed at 400 x 300"), text_of()
    ask("select")
    come_back()
    wait_for("the selection's size", lambda: says("Made at 591 x 443, placed at 200 x 150"))
    choose("Size", "Of the image")
    wait_for("the image's size", lambda: says("Made at 591 x 443, placed at 400 x 300"))
    set_size(128, 64)
    wait_for("the typed size", lambda: says("Made at 128 x 64, placed at 200 x 150"))
    ask("deselect")
    come_back()
    wait_for("the image's place", lambda: says("Made at 128 x 64, placed at 400 x 300"))
    choose("Size", "Of the image")


def come_back():
    """From the image to the dialog, as an artist does."""
    activate()
    keys("search", "--onlyvisible", "--name", "^Blend Layers and Prompts$", "windowactivate", "--sync")


def test_what_the_daemon_computes_on_is_told_in_plain_words():
    toggle("More")
    wait_for("the words", lambda: says("Computes on the processor (CPU), in full precision (float32)"))
    shot("more")
    toggle("More")


def test_the_artist_paints_while_it_runs_and_stop_is_acknowledged_at_once():
    set_size(64, 48)
    for name, number in (("Steps", 1000), ("Seed", 7)):
        spin(name, number)
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"))
    check(ask("paint"), [0, 0, 0])
    shot("progress")
    assert says("Denoising, step"), text_of()
    (line,) = starting("Denoising, step")
    (stop,) = find("Stop", ROLE.PUSH_BUTTON)
    started = time.monotonic()
    stop.do_action(0)
    while not line.get_name().startswith("Stop"):
        time.sleep(0.005)
    (FOLDER / "stop-seconds").write_text(f"{time.monotonic() - started:.3f}")
    wait_for("the end", lambda: says("Stopped"))


def test_a_blend_becomes_a_layer_and_one_undo_removes_it():
    before = ask("images")
    spin("Steps", 8)
    press("Generate")
    (said,) = wait_for("the picture", lambda: says("Done in"))
    shot("done")
    name = "Kandinsky: 0.5 red + 0.5 blue + 1 a cat, seed 7"
    assert said.endswith(f"{name}."), said
    (after,) = ask("images")
    check(after[:-1], [name, *before[0][:-1]])
    activate()
    keys("key", "ctrl+z")
    wait_for("the undo", lambda: ask("images") == before)


def test_what_is_selected_when_it_begins_masks_the_picture_whatever_is_selected_later():
    before = ask("images")
    ask("select")
    come_back()
    spin("Steps", 30)
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"))
    ask("deselect")
    wait_for("the picture", lambda: says("Done in"))
    check(ask("mask"), [200, 150, 255, 255])
    activate()
    keys("key", "ctrl+z", "ctrl+z", "ctrl+z")
    wait_for("the undo", lambda: ask("images") == before)
    spin("Steps", 8)


def test_the_seed_that_was_drawn_is_shown_and_the_lock_keeps_it():
    toggle("Keep this seed")  # it was typed, so it was locked
    seeds = [generate_and_tell_seed() for _ in range(2)]
    assert seeds[0] != seeds[1], seeds
    check(value("Seed"), float(seeds[1]))
    toggle("Keep this seed")
    check(generate_and_tell_seed(), seeds[1])


def generate_and_tell_seed():
    press("Generate")
    wait_for("its start", lambda: not says("Done in"))
    (said,) = wait_for("the picture", lambda: says("Done in"))
    return said.rpartition("seed ")[2].partition(" ")[0].rstrip(".")


def test_a_sweep_comes_as_a_group_of_frames_in_order_and_one_undo_removes_it():
    spin("Seed", 7)
    toggle("Sweep to other weights at the end")
    ends = wait_for("the weights at the end", lambda: shown("Weight at the end"))
    check([end.get_current_value() for end in ends], [0.0, 0.0, 2.0])
    ends[0].set_current_value(1.0)
    ends[2].set_current_value(0.0)
    spin("Frames", 3)
    shot("sweep")
    before = ask("images")
    press("Generate")
    wait_for("its start", lambda: not says("Done in"))
    wait_for("the picture", lambda: says("Done in"))
    shot("sweep-done")
    name, timing = "Kandinsky sweep: 0.5 red + 0.5 blue + 1 a cat to 1 red, seed 7", "(100ms) (replace)"
    (after,) = ask("images")
    check(after[:-1], [name, *before[0][:-1]])
    frames = next(layer for layer in ask("frames") if isinstance(layer, list))
    check(frames[0], f"Frame 1 of 3 {timing}: 0.5 red + 0.5 blue + 1 a cat, seed 7")
    check(frames[1], f"Frame 2 of 3 {timing}: 0.75 red + 0.25 blue + 0.5 a cat, seed 7")
    check(frames[2], f"Frame 3 of 3 {timing}: 1 red, seed 7")
    activate()
    keys("key", "ctrl+z")
    wait_for("the undo", lambda: ask("images") == before)


def test_stop_ends_a_whole_sweep():
    before = ask("images")
    spin("Steps", 300)
    press("Generate")
    wait_for("a step", lambda: says("Picture 1 of 3, Denoising"))
    shot("sweep-progress")
    press("Stop")
    wait_for("the end", lambda: says("Stopped"))
    check(ask("images"), before)
    toggle("Sweep to other weights at the end")


def test_the_image_is_closed_meanwhile_and_the_result_opens_as_a_new_one():
    spin("Steps", 30)
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"))
    ask("close_image")
    check(ask("images"), [])
    wait_for("the picture", lambda: says("Done in"))
    (image,) = ask("images")
    check(len(image), 2)
    assert image[0].startswith("Kandinsky: "), image
    shot("new-image")


def test_the_settings_of_a_layer_fill_the_dialog_again_and_give_the_same_picture():
    close_the_dialog()
    open_entry("Use These Settings Again")
    one("Generate", ROLE.PUSH_BUTTON)
    wait_for_rows()
    check(entry("Prompt"), "a cat")
    check(value("Steps"), 30.0)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"))
    first, second = ask("pictures")
    check(second, first)


def test_the_settings_of_a_variation_give_that_variation():
    spin("Variations", 2)
    press("Generate")
    wait_for("its start", lambda: not says("Done in"))
    wait_for("the pictures", lambda: says("Done in"))
    ask("select_the_second_variation")
    close_the_dialog()
    open_entry("Use These Settings Again")
    one("Generate", ROLE.PUSH_BUTTON)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"))
    first, again, second = ask("variations")
    check((again == first, again == second), (False, True))
    close_the_dialog()


def test_the_entry_for_sweeps_makes_an_image_of_frames():
    open_entry("Sweep from Weights to Weights")
    one("Generate", ROLE.PUSH_BUTTON)
    press("Add Prompt")
    one("Prompt", ROLE.TEXT).set_text_contents("a sky")
    ends = wait_for("the weights at the end", lambda: len(found := shown("Weight at the end")) == 2 and found)
    for end, weight in zip(ends, (0.2, 0.8), strict=True):
        end.set_current_value(weight)
    set_size(64, 48)
    for name, number in (("Steps", 3), ("Seed", 7), ("Frames", 2)):
        spin(name, number)
    choose("Frames come as", "as a new image, to export as an animation")
    press("Generate")
    wait_for("the frames", lambda: says("Done in"))
    shot("sweep-image")
    (made,) = (image for image in ask("images") if image[0].startswith("Frame "))
    assert made[1].startswith("Frame 1 of 2 (100ms) (replace): 1 "), made
    assert made[0].startswith("Frame 2 of 2 (100ms) (replace): 0.2 "), made
    check(len(made), 3)
    assert says("Done in")[0].endswith("File > Export As makes an animation of it."), says("Done in")
    close_the_dialog()
    check(ask("repeat_sweep"), made[:-1])


def test_text_becomes_an_image_where_none_is_open():
    ask("close_image")
    check(ask("images"), [])
    open_entry("Text to Image")
    one("Prompt", ROLE.TEXT).set_text_contents("a sky")
    set_size(64, 64)
    for name, number in (("Steps", 3), ("Seed", 7)):
        spin(name, number)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"))
    (image,) = ask("images")
    check(image[0], "Kandinsky: 1 a sky, seed 7")
    close_the_dialog()
    check(ask("repeat_text"), ["", "Kandinsky: 1 a sky, seed 7"])


if __name__ == "__main__":
    report(globals())
