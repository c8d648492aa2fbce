"""Shares of weights, in percent."""

from __future__ import annotations

from plugin_client.editor.weights import even, onto_last, shares, shares_in_words


def test_shares_are_of_all_weights_and_say_which_way() -> None:
    assert shares([0.5, 0.5, 1.0]) == [25, 25, 50]
    assert shares([3.0, -1.0]) == [75, -25]
    assert shares([0.0, 0.0]) == [0, 0]
    assert even(3) == 0.33


def test_all_weight_goes_onto_the_last() -> None:
    assert onto_last([0.3, 0.7]) == [0.0, 1.0]
    assert onto_last([0.5]) == [0.5]
    assert onto_last([]) == []


def test_shares_are_told_with_the_names() -> None:
    assert shares_in_words(["a cat", "sky"], [0.6, 1.4]) == "30 % a cat, 70 % sky"
