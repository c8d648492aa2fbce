"""Weights for a person: how much each of several counts."""

from __future__ import annotations

from collections.abc import Sequence

from plugin_client.editor.translation import _


def shares(weights: Sequence[float]) -> list[float]:
    """Each weight as a percentage of the sum of all absolute weights; negative for a negative weight."""
    total = sum(map(abs, weights))
    return [100 * weight / total if total else 0.0 for weight in weights]


def shares_in_words(names: Sequence[str], weights: Sequence[float]) -> str:
    """The shares with the names, such as "30 % a cat, 70 % sky"."""
    parts = zip(names, shares(weights), strict=True)
    return ", ".join(_("{share} % {name}").format(share=round(share), name=name) for name, share in parts)


def onto_last(weights: Sequence[float]) -> list[float]:
    """The sum of the weights on the last ingredient, and 0 on the others."""
    return [0.0] * (len(weights) - 1) + [round(sum(weights), 2)] * bool(weights)


def even(count: int) -> float:
    """The weight that each of `count` ingredients gets at first: together they are 1."""
    return round(1 / count, 2)
