"""The dialog in a real GIMP, beside the daemon with the small model. Each case begins with a fresh image."""

import time

from tests.gimp.inside.loop_watch import holds
from tests.gimp.inside.window import (
    FOLDER,
    ROLE,
    activate,
    all_of,
    ask,
    bring_to_front,
    check,
    choose,
    close_the_dialog,
    colour_at,
    entries,
    entry,
    extents,
    find,
    is_in,
    is_on_the_screen,
    keys,
    one,
    open_entry,
    press,
    report,
    search_entry,
    set_size,
    shot,
    shown,
    spin,
    start_anew,
    starting,
    text_of,
    toggle,
    value,
    wait_for,
    written,
)

BLEND = "Blend Layers and Prompts"
SMALL_PREVIEW = 160  # px, which were too few to judge a picture by
SCREEN_HEIGHT = 720  # px, of start_window.sh: of a small laptop, or a large screen at scale 2
LONGEST_HOLD = 0.3  # s, of the dialog's main loop; 0.05 to 0.11 on a busy machine, 1.7 when layers were read in one go
MADE = "Kandinsky: 0.5 red + 0.5 blue + 1 a cat, seed 7"


def says(start):
    return [text for text in text_of() if text.startswith(start)]


def open_dialog(words=BLEND, title=None):
    """The dialog of an entry, whose window is called after it unless a title is given."""
    open_entry(words)
    one(title or words, ROLE.DIALOG)
    one("Generate", ROLE.PUSH_BUTTON)


def open_with_two_layers():
    """The dialog for a fresh image with the layers red and blue, both of which come in as rows."""
    start_anew()
    open_dialog()
    wait_for_rows()


def open_with_a_prompt(steps=8):
    """The same with a prompt besides, and settings that make a small picture soon."""
    open_with_two_layers()
    add_a_cat()
    set_quick(steps)


def add_a_cat():
    press("Add Prompt")
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    find("Weight", ROLE.SLIDER)[2].set_current_value(1.0)


def set_quick(steps):
    set_size(64, 48)
    for name, number in (("Steps", steps), ("Seed", 7)):
        spin(name, number)


def generate():
    """What the dialog says of the picture when it is there."""
    said_before, images = says("Done in"), ask("images")
    press("Generate")
    if said_before:  # a quick job is over before a look sees that it began: then its layer is there
        wait_for("the start, or a new layer", lambda: not says("Done in") or ask("images") != images)
    return wait_for("the picture", lambda: says("Done in"))[0]


def wait_for_rows():
    """Behind the names on the blend pad."""
    wait_for("the rows", lambda: [name for name in text_of() if name in ("red", "blue")] == ["red", "blue"] * 2)


def come_back():
    """From the image to the dialog, as an artist does."""
    activate()
    bring_to_front(BLEND)


def undo_until(images):
    activate()
    keys("key", "ctrl+z")
    wait_for("the undo", lambda: ask("images") == images)


def in_sight(name):
    """Whether a button is on the screen as a whole."""
    box = extents(one(name, ROLE.PUSH_BUTTON))
    return box.y >= 0 and box.y + box.height <= SCREEN_HEIGHT


def test_with_ten_ingredients_all_that_matters_fits_on_a_small_screen():
    open_with_two_layers()
    for _ in range(8):
        press("Add Prompt")
    keys("type", "a dog ")
    wait_for("what was typed in the newest", lambda: entries("Prompt")[-1] == "a dog ")
    check(entries("Prompt")[:-1], [""] * 7)
    toggle("More")
    set_quick(steps=1000)
    press("Generate")
    wait_for("a step and its preview", lambda: says("Denoising, step") and shown("Preview"))
    shot("ten")
    check([name for name in ("Generate", "Stop", "Close") if not in_sight(name)], [])
    check(shown("Cancel"), [])  # which beside Stop would mislead
    assert extents(one("Preview")).height > 1.2 * SMALL_PREVIEW, extents(one("Preview")).height
    press("Stop")
    wait_for("the end", lambda: says("Stopped"))


def test_a_prompt_has_several_lines_and_a_weight_is_typed_but_not_changed_by_the_wheel():
    open_with_two_layers()
    for _ in range(4):
        press("Add Prompt")
    for words in (("type", "a dog"), ("key", "Return"), ("type", "in the snow")):
        keys(*words)
    wait_for("both lines in the newest", lambda: entries("Prompt")[-1] == "a dog\nin the snow")
    find("Weight as a number", ROLE.SPIN_BUTTON)[-1].get_component_iface().grab_focus()
    for words in (("key", "ctrl+a"), ("type", "0.3"), ("key", "Tab")):
        keys(*words)
    slider = find("Weight", ROLE.SLIDER)[-1]
    wait_for("the number on the slider", lambda: round(slider.get_current_value(), 2) == 0.3)
    top = extents(slider).y
    wait_for("the rows to scroll", lambda: turn_the_wheel_up(slider) and extents(slider).y > top)
    check([round(one.get_current_value(), 2) for one in find("Weight", ROLE.SLIDER)], [0.5, 0.5, 0.5, 0.5, 0.5, 0.3])


def turn_the_wheel_up(widget):
    box = extents(widget)
    keys("mousemove", str(box.x + box.width // 4), str(box.y + box.height // 2), "click", "4")
    return True


def test_generate_stays_usable_and_each_job_tells_its_place_and_stops_alone():
    open_with_two_layers()
    set_quick(steps=1000)
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"))
    press("Generate")
    waiting = "Waiting, 1 before it. Now: 0.5 red + 0.5 blue, seed 7, Denoising, step"
    wait_for("the place in the queue", lambda: says(waiting))
    shot("queue")
    check(len(find("Stop", ROLE.PUSH_BUTTON)), 2)
    find("Stop", ROLE.PUSH_BUTTON)[1].do_action(0)
    wait_for("the end of the second", lambda: len(find("Stop", ROLE.PUSH_BUTTON)) == 1)
    assert says("Denoising, step"), text_of()
    press("Stop")
    wait_for("the end", lambda: not find("Stop", ROLE.PUSH_BUTTON))


def test_help_is_our_own():
    open_with_two_layers()
    press("Help")
    one("Kandinsky Blend: Help", ROLE.DIALOG)
    shot("help")
    (close,) = [button for button in find("Close", ROLE.PUSH_BUTTON) if is_in(button, "Kandinsky Blend: Help")]
    close.do_action(0)
    wait_for("it to close", lambda: not find("Kandinsky Blend: Help", ROLE.DIALOG))


def test_opened_again_on_a_result_it_has_the_ingredients_of_before():
    open_with_a_prompt(steps=3)
    generate()
    close_the_dialog()
    open_dialog()
    wait_for_rows()
    check(entry("Prompt"), "a cat")


def test_a_preset_brings_settings_and_prompts_back_beside_the_layers():
    open_with_a_prompt(steps=9)
    open_presets("Save As ...")
    one("Name of the preset", ROLE.TEXT).set_text_contents("Nine")
    shot("save-a-preset")
    press("Save")
    wait_for("the dialog to go", lambda: not find("Name of the preset", ROLE.TEXT))
    spin("Steps", 20)
    one("Prompt", ROLE.TEXT).set_text_contents("a dog")
    open_presets("Nine")
    wait_for("the prompt", lambda: entries("Prompt") == ["a cat"])
    check((value("Steps"), value("Seed")), (9.0, 7.0))
    check([slider.get_current_value() for slider in find("Weight", ROLE.SLIDER)], [0.5, 0.5, 1.0])


def open_presets(entry):
    press("Presets")
    one(entry, ROLE.MENU_ITEM)
    shot(f"presets-{entry.split()[0].lower()}")
    one(entry, ROLE.MENU_ITEM).do_action(0)


def test_tokens_are_counted_while_one_types_and_earlier_prompts_are_offered():
    open_with_a_prompt(steps=3)
    generate()
    check(says("About"), [])
    one("Prompt", ROLE.TEXT).set_text_contents("cat " * 60)
    wait_for("the count", lambda: says("About 60 of 75 tokens") == ["About 60 of 75 tokens"])
    one("Prompt", ROLE.TEXT).set_text_contents("cat " * 80)
    wait_for("the warning", lambda: says("About 80 of 75 tokens: what comes after them is not read"))
    shot("tokens")
    press("Earlier prompts")
    one("a cat", ROLE.MENU_ITEM)
    shot("earlier-prompts")
    one("a cat", ROLE.MENU_ITEM).do_action(0)
    wait_for("the prompt", lambda: entry("Prompt") == "a cat")


def test_six_large_masked_layers_keep_nobody_waiting():
    start_anew()
    ask("six_large_layers")
    search_entry(BLEND)
    began = time.monotonic()
    keys("key", "Return")
    wait_for("the window", lambda: is_on_the_screen(BLEND))
    opened = time.monotonic() - began
    (FOLDER / "large-seconds").write_text(f"{opened:.2f}")
    assert opened < 6, opened  # on a busy machine: it was 12 on an idle one, when all was read before
    one("Generate", ROLE.PUSH_BUTTON)
    since = time.monotonic()
    wait_for("the thumbnails", lambda: len(find("What the model sees of it")) == 6)
    shot("six")
    press("Generate")
    wait_for("a word while they are read", lambda: says("Reading the layers ..."))
    press("Stop")
    wait_for("the end", lambda: says("Stopped"))
    longest = sorted(holds(since))[-5:]
    (FOLDER / "reading-holds").write_text(f"{longest}")
    assert max(longest, default=0.0) < LONGEST_HOLD, longest


def test_the_selected_layers_come_in_as_rows():
    open_with_two_layers()
    check([name for name in text_of() if name.endswith("%")], ["50 %", "50 %"])


def test_a_prompt_is_added_and_each_share_follows_the_weights():
    open_with_two_layers()
    add_a_cat()
    check(len(find("Weight", ROLE.SLIDER)), 3)
    wait_for("the shares", lambda: [name for name in text_of() if name.endswith("%")] == ["25 %", "25 %", "50 %"])
    shot("dialog")


def test_a_layer_is_added_from_a_list_that_knows_the_newest():
    open_with_two_layers()
    add_the_clear_layer()
    check(len(find("Weight", ROLE.SLIDER)), 3)


def add_the_clear_layer():
    ask("add_layer")
    press("Add Layer")
    one("clear", ROLE.MENU_ITEM)
    shot("add-layer")
    one("clear", ROLE.MENU_ITEM).do_action(0)
    wait_for("its row", lambda: "clear" in text_of())


def test_the_backdrop_of_a_layer_is_chosen_where_it_shows_and_seen_at_once():
    open_with_two_layers()
    add_the_clear_layer()
    check(shown("Backdrop of red"), [])  # nothing of it is to be seen
    wait_for("the thumbnail", lambda: colour_at(thumbnail(2), 0.5, 0.5) == (255, 255, 255))
    press("Backdrop of clear")
    pick_a_colour()
    wait_for("the thumbnail", lambda: colour_at(thumbnail(2), 0.5, 0.5) != (255, 255, 255))
    choose("Fit of red", "Pad")
    wait_for("the button", lambda: shown("Backdrop of red"))
    wait_for("the thumbnail", lambda: colour_at(thumbnail(0), 0.5, 0.05) == (255, 255, 255))
    shot("backdrop")


def thumbnail(number):
    return find("What the model sees of it")[number]


def pick_a_colour():
    one("Select", ROLE.PUSH_BUTTON)
    shot("colour-chooser")
    swatches = [node for node in all_of(ROLE.RADIO_BUTTON) if node.get_name()]
    swatches[0].do_action(0)
    press("Select")


def test_the_size_is_that_of_the_image_the_selection_or_what_is_typed():
    open_with_two_layers()
    wait_for("the image's size", lambda: says("Made at 591 x 443, placed at 400 x 300"))
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


def test_what_the_daemon_computes_on_is_told_in_plain_words():
    open_with_two_layers()
    set_quick(1)
    generate()  # a daemon that was just started learns it with the first picture
    toggle("More")
    wait_for("the words", lambda: says("Computes on the processor (CPU), in full precision (float32)"))
    shot("more")


def test_steps_that_are_left_to_the_model_show_how_many_it_takes():
    open_with_a_prompt(steps=2)
    generate()  # a daemon that was just started learns of its model with the first picture
    spin("Steps", 0)
    wait_for("the model's steps", lambda: written("Steps") == "auto: 25")
    toggle("More")
    choose("Sampler", "DDIM")
    wait_for("the steps of DDIM", lambda: written("Steps") == "auto: 50")
    choose("Sampler", "The model's best")
    wait_for("the model's steps again", lambda: written("Steps") == "auto: 25")
    shot("auto")
    generate()
    check(value("Steps"), 0.0)
    spin("Steps", 7)
    wait_for("a number of one's own", lambda: written("Steps") == "7")


def test_the_artist_paints_while_it_runs_and_stop_is_acknowledged_at_once():
    open_with_a_prompt(steps=1000)
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
    open_with_a_prompt()
    before = ask("images")
    said = generate()
    shot("done")
    assert said.endswith(f"{MADE}."), said
    (after,) = ask("images")
    check(after[:-1], [MADE, *before[0][:-1]])
    undo_until(before)


def test_what_is_selected_when_it_begins_masks_the_picture_whatever_is_selected_later():
    open_with_a_prompt(steps=300)
    before = ask("images")
    ask("select")
    come_back()
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"))
    ask("deselect")
    wait_for("the picture", lambda: says("Done in"))
    check(ask("mask"), [200, 150, 255, 255])
    activate()
    keys("key", "ctrl+z", "ctrl+z")
    undo_until(before)


def test_the_seed_that_was_drawn_is_shown_and_the_lock_keeps_it():
    open_with_two_layers()
    set_size(64, 48)
    spin("Steps", 3)
    seeds = [seed_in(generate()) for _ in range(2)]
    assert seeds[0] != seeds[1], seeds
    check(value("Seed"), float(seeds[1]))
    toggle("Keep this seed")
    check(seed_in(generate()), seeds[1])


def seed_in(said):
    return said.rpartition("seed ")[2].partition(" ")[0].rstrip(".")


def test_the_image_is_closed_meanwhile_and_the_result_opens_as_a_new_one():
    open_with_a_prompt(steps=300)
    press("Generate")
    wait_for("a step", lambda: says("Denoising, step"))
    ask("close_image")
    check(ask("images"), [])
    wait_for("the picture", lambda: says("Done in"))
    (image,) = ask("images")
    check(image[:-1], [MADE])
    shot("new-image")


def test_the_settings_of_a_layer_fill_the_dialog_again_and_give_the_same_picture():
    open_with_a_prompt(steps=9)
    generate()
    close_the_dialog()
    open_dialog("Use These Settings Again")
    wait_for_rows()
    check(entry("Prompt"), "a cat")
    check(value("Steps"), 9.0)
    generate()
    first, second, *_ = ask("pictures")
    check(second, first)


def test_the_settings_of_a_variation_give_that_variation():
    open_with_a_prompt(steps=3)
    spin("Variations", 2)
    generate()
    ask("select_the_second_variation")
    close_the_dialog()
    open_dialog("Use These Settings Again")
    generate()
    first, again, second = ask("variations")
    check((again == first, again == second), (False, True))


def test_text_becomes_an_image_where_none_is_open():
    start_anew()
    ask("close_image")
    check(ask("images"), [])
    open_dialog("Text to Image")
    keys("type", "a sky ")  # at once, and the space presses nothing
    wait_for("what was typed", lambda: entry("Prompt") == "a sky ")
    check((len(find("Prompt", ROLE.TEXT)), find("Stop", ROLE.PUSH_BUTTON)), (1, []))
    set_quick(steps=3)
    keys("key", "ctrl+Return")
    wait_for("the picture", lambda: says("Done in"))
    (image,) = ask("images")
    check(image[0], "Kandinsky: 1 a sky, seed 7")
    close_the_dialog()
    check(ask("repeat_text"), ["", "Kandinsky: 1 a sky, seed 7"])


if __name__ == "__main__":
    from tests.gimp.inside import pad_cases, redraw_window_cases, sweep_window_cases  # which use what stands above

    report({**globals(), **vars(redraw_window_cases), **vars(pad_cases), **vars(sweep_window_cases)})
