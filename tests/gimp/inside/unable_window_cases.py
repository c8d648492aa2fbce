"""The dialogs that draw into an image, where the daemon offers a model that can only blend, and one that can draw."""

from tests.gimp.inside.dialog_cases import open_dialog, says
from tests.gimp.inside.window import (
    ROLE,
    ask,
    check,
    choose,
    is_sensitive,
    keys,
    one,
    report,
    start_anew,
    text_of,
    wait_for,
)

PART = "The model blender cannot draw into a part of a picture"
WHOLE = "The model blender cannot refine a picture"


def test_a_model_that_cannot_is_named_generate_is_closed_and_nothing_changes():
    for words, sentence in (
        ("Repaint Selection", PART),
        ("Remove Selection", PART),
        ("Extend Canvas", PART),
        ("Refine Layer", WHOLE),
    ):
        start_anew()
        ask("select_the_lowest_layer")
        ask("select_a_part")
        before = ask("images")
        open_dialog(words)
        wait_for(f"the sentence in {words}", lambda sentence=sentence: says(sentence))
        wait_for("Generate to be closed", lambda: not is_sensitive("Generate"))
        keys("key", "ctrl+Return")
        assert says(sentence), text_of()
        check(ask("images"), before)


def test_another_model_is_chosen_and_generate_opens():
    start_anew()
    ask("select_a_part")
    open_dialog("Remove Selection")
    wait_for("the sentence", lambda: says(PART))
    one("More", ROLE.TOGGLE_BUTTON).do_action(0)
    choose("Model", "painter")
    wait_for("Generate to open", lambda: is_sensitive("Generate"))
    wait_for("the sentence to go", lambda: not says(PART))


if __name__ == "__main__":
    report(globals())
