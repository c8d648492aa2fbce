"""The menu and the dialog in a GIMP that speaks German. Each case begins with a fresh image."""

from tests.gimp.inside.window import (
    ROLE,
    STARTING,
    ask,
    check,
    entry,
    one,
    open_by_search,
    press,
    report,
    shot,
    spin,
    start_anew,
    starting,
    text_of,
    wait_for,
)


def test_the_menu_says_it_in_german():
    blend = "Das Bild, das zwischen Ebenen und Prompts mit je einem Gewicht liegt, als neue Ebene"
    text = "Ein Bild von dem, was ein Prompt sagt, als neues Bild"
    check(ask("menu"), [["_Ebenen und Prompts mischen …", blend], ["Bild aus _Text …", text]])


def test_the_dialog_is_german_from_its_title_to_its_buttons():
    open_dialog()
    one("Ebenen und Prompts mischen", ROLE.DIALOG)
    for caption in ("Vermeiden", "Schritte", "Führung", "Startwert", "Varianten"):
        assert caption in text_of(), (caption, text_of())
    press("Prompt hinzufügen")
    one("Prompt", ROLE.TEXT).set_text_contents("a cat")
    check(entry("Prompt"), "a cat")
    shot("dialog")


def open_dialog():
    start_anew()
    open_by_search("Ebenen und Prompts mischen")
    one("Erzeugen", ROLE.PUSH_BUTTON)


def test_what_is_done_is_told_in_german():
    open_dialog()
    spin("Schritte", 8)
    spin("Startwert", 7)
    press("Erzeugen")
    (line,) = wait_for("the picture", lambda: starting("Fertig nach"), STARTING)
    assert line.get_name().endswith("Startwert 7."), line.get_name()
    shot("done")


if __name__ == "__main__":
    report(globals())
