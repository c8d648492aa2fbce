"""The dialog in a real GIMP, step by step in this order, beside the daemon with the small model."""

import time

from tests.gimp.inside.window import (
    FOLDER,
    ROLE,
    ask,
    check,
    entry,
    find,
    gimp_window,
    keys,
    one,
    open_entry,
    press,
    report,
    shot,
    spin,
    starting,
    text_of,
    wait_for,
)


def says(start):
    return [text for text in text_of() if text.startswith(start)]


def test_the_selected_layers_come_in_as_rows():
    open_entry("Blend Layers and Prompts")
    one("Generate", ROLE.PUSH_BUTTON)
    check([name for name in text_of() if name in ("red", "blue")], ["red", "blue"])
    check([name for name in text_of() if name.endswith("%")], ["50 %", "50 %"])


def test_a_prompt_is_added_and_each_share_follows_the_weights():
    press("Add Prompt")
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    sliders = find("Weight", ROLE.SLIDER)
    check(len(sliders), 3)
    sliders[2].set_current_value(1.0)
    wait_for("the shares", lambda: [name for name in text_of() if name.endswith("%")] == ["25 %", "25 %", "50 %"])
    shot("dialog")


def test_the_artist_paints_while_it_runs_and_stop_is_acknowledged_at_once():
    for name, value in (("Steps", 1000), ("Width, 0 follows the image or selection", 64), ("Seed, -1 draws one", 7)):
        spin(name, value)
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
    keys("windowactivate", "--sync", gimp_window())
    keys("key", "ctrl+z")
    wait_for("the undo", lambda: ask("images") == before)


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
    press("Cancel")
    wait_for("the dialog to close", lambda: not find("Generate", ROLE.PUSH_BUTTON))
    open_entry("Use These Settings Again")
    one("Generate", ROLE.PUSH_BUTTON)
    check([name for name in text_of() if name in ("red", "blue")], ["red", "blue"])
    check(entry("Prompt"), "a cat")
    check(one("Steps", ROLE.SPIN_BUTTON).get_current_value(), 30.0)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"))
    first, second = ask("pictures")
    check(second, first)
    press("Cancel")
    wait_for("the dialog to close", lambda: not find("Generate", ROLE.PUSH_BUTTON))


def test_text_becomes_an_image_where_none_is_open():
    ask("close_image")
    check(ask("images"), [])
    open_entry("Text to Image")
    one("Prompt", ROLE.TEXT).set_text_contents("a sky")
    for name, value in (("Steps", 3), ("Width, 0 follows the image or selection", 64), ("Seed, -1 draws one", 7)):
        spin(name, value)
    press("Generate")
    wait_for("the picture", lambda: says("Done in"))
    (image,) = ask("images")
    check(image[0], "Kandinsky: 1 a sky, seed 7")


if __name__ == "__main__":
    report(globals())
