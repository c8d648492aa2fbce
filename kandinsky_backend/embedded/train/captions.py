"""Captions of scenes in six languages, from templates and small tables of inflected words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .scenes import COLOURS, SHAPES


@dataclass(frozen=True)
class Said:
    """The part of a scene that a caption tells, by name; None stays unsaid."""

    shape: str | None = None
    colour: str | None = None
    ground: str | None = None
    count: str | None = None
    texture: str | None = None


@dataclass(frozen=True)
class Noun:
    """`gender` m, f, n, or p for what has no singular; `many` is the form after "many"."""

    gender: str
    one: str
    several: str
    many: str


@dataclass(frozen=True)
class Language:
    """One language's words. A colour has a form for each of COLOUR_FORMS; templates are filled by str.format."""

    nouns: Mapping[str, Noun]
    colours: Mapping[str, Mapping[str, str]]
    one: Mapping[str, str]  # gender -> a noun phrase of {colour} and {noun}
    few: str
    many: str
    marks: Mapping[str, str]  # gender -> a noun phrase without a word for the number
    something: str  # of {colour}: what is said when the shape is not
    ground: str  # of {ground}
    scenes: tuple[str, ...]  # of {marks} and {ground}
    textures: Mapping[str, str]  # of {scene}


COLOUR_FORMS = ("m", "f", "n", "p", "many", "ground")


def caption(said: Said, language: str, template: int = 0) -> str:
    """What is said, in words; "" when nothing is."""
    words = LANGUAGES[language]
    scene = _scene(said, words, template)
    return words.textures[said.texture].format(scene=scene) if said.texture and scene else scene


def _scene(said: Said, words: Language, template: int) -> str:
    ground = words.ground.format(ground=words.colours[said.ground]["ground"]) if said.ground else ""
    marks = _marks(said, words)
    if marks and ground:
        return _tidy(words.scenes[template % len(words.scenes)].format(marks=marks, ground=ground))
    return _tidy(marks or ground)


def _marks(said: Said, words: Language) -> str:
    if said.shape is None:
        return words.something.format(colour=words.colours[said.colour]["n"]) if said.colour else ""
    noun = words.nouns[said.shape]
    forms = words.colours[said.colour] if said.colour else dict.fromkeys(COLOUR_FORMS, "")
    if said.count == "few":
        return words.few.format(colour=forms["many"], noun=noun.many)
    if said.count == "many":
        return words.many.format(colour=forms["many"], noun=noun.many)
    phrases = words.one if said.count else words.marks
    return phrases[noun.gender].format(colour=forms[noun.gender], noun=noun.one)


def _tidy(text: str) -> str:
    """Single spaces, and English "an" before a vowel."""
    words = text.split()
    pairs = zip(words, [*words[1:], ""], strict=False)
    return " ".join("an" if word == "a" and after[:1] in ("o", "a", "e", "i", "u") else word for word, after in pairs)


def random_said(said: Said, rng: np.random.Generator) -> Said:
    """A random part of what could be said: mostly the shape, both colours and the number."""
    if rng.random() < 0.35:
        said = _half_of(said, rng)
    if rng.random() < 0.3 or said.shape is None:
        said = replace(said, count=None)
    if said.texture == "flat" or rng.random() < 0.5:
        said = replace(said, texture=None)
    return said


def _half_of(said: Said, rng: np.random.Generator) -> Said:
    """Each of the shape and the colours with even chance."""
    shape, colour, ground = rng.random(3) < 0.5
    return replace(
        said,
        shape=said.shape if shape else None,
        colour=said.colour if colour else None,
        ground=said.ground if ground else None,
    )


def in_some_words(said: Said, rng: np.random.Generator) -> str:
    """What is said, in a random language and wording."""
    language = tuple(LANGUAGES)[rng.integers(len(LANGUAGES))]
    return caption(said, language, int(rng.integers(6)))


def random_caption(said: Said, rng: np.random.Generator) -> str:
    """A random part of what could be said, in a random language and wording."""
    return in_some_words(random_said(said, rng), rng)


def _nouns(*rows: str) -> dict[str, Noun]:
    return {shape: Noun(*(part.strip() for part in row.split(","))) for shape, row in zip(SHAPES, rows, strict=True)}


def _colours(*rows: str) -> dict[str, dict[str, str]]:
    """Rows in COLOURS' order, of either one form for all or six in COLOUR_FORMS' order."""
    return {colour: _forms(row.split()) for colour, row in zip(COLOURS, rows, strict=True)}


def _forms(words: list[str]) -> dict[str, str]:
    return dict(zip(COLOUR_FORMS, words * len(COLOUR_FORMS) if len(words) == 1 else words, strict=False))


_SAME = dict.fromkeys("mfnp", "{colour} {noun}")

LANGUAGES: dict[str, Language] = {
    "en": Language(
        nouns=_nouns(
            "n, circle, circles, circles",
            "n, ring, rings, rings",
            "n, triangle, triangles, triangles",
            "n, square, squares, squares",
            "n, cross, crosses, crosses",
            "n, star, stars, stars",
            "p, stripes, stripes, stripes",
            "n, grid, grid lines, grid lines",
        ),
        colours=_colours(*COLOURS),
        one={"n": "a {colour} {noun}", "p": "{colour} {noun}"},
        few="a few {colour} {noun}",
        many="many {colour} {noun}",
        marks=_SAME,
        something="something {colour}",
        ground="a {ground} background",
        scenes=("{marks} on {ground}", "{marks} , {ground}", "{ground} with {marks}"),
        textures={"flat": "{scene}, flat", "shaded": "{scene}, shaded", "mottled": "{scene}, mottled"},
    ),
    "ru": Language(
        nouns=_nouns(
            "m, круг, круги, кругов",
            "n, кольцо, кольца, колец",
            "m, треугольник, треугольники, треугольников",
            "m, квадрат, квадраты, квадратов",
            "m, крест, кресты, крестов",
            "f, звезда, звёзды, звёзд",
            "p, полосы, полосы, полос",
            "f, решётка, линии решётки, линий решётки",
        ),
        colours=_colours(
            "красный красная красное красные красных красном",
            "оранжевый оранжевая оранжевое оранжевые оранжевых оранжевом",
            "жёлтый жёлтая жёлтое жёлтые жёлтых жёлтом",
            "зелёный зелёная зелёное зелёные зелёных зелёном",
            "синий синяя синее синие синих синем",
            "фиолетовый фиолетовая фиолетовое фиолетовые фиолетовых фиолетовом",
            "белый белая белое белые белых белом",
            "чёрный чёрная чёрное чёрные чёрных чёрном",
        ),
        one={
            "m": "один {colour} {noun}",
            "f": "одна {colour} {noun}",
            "n": "одно {colour} {noun}",
            "p": "{colour} {noun}",
        },
        few="несколько {colour} {noun}",
        many="много {colour} {noun}",
        marks=_SAME,
        something="что-то {colour}",
        ground="на {ground} фоне",
        scenes=("{marks} {ground}", "{marks} , {ground}", "{ground} {marks}"),
        textures={"flat": "{scene}, ровно", "shaded": "{scene}, с тенью", "mottled": "{scene}, в пятнах"},
    ),
    "zh": Language(
        nouns=_nouns(
            "n, 圆形, 圆形, 圆形",
            "n, 圆环, 圆环, 圆环",
            "n, 三角形, 三角形, 三角形",
            "n, 正方形, 正方形, 正方形",
            "n, 十字, 十字, 十字",
            "n, 星星, 星星, 星星",
            "p, 条纹, 条纹, 条纹",
            "n, 网格, 网格线, 网格线",
        ),
        colours=_colours("红色", "橙色", "黄色", "绿色", "蓝色", "紫色", "白色", "黑色"),
        one={"n": "一个{colour}{noun}", "p": "{colour}{noun}"},
        few="几个{colour}{noun}",
        many="许多{colour}{noun}",
        marks=dict.fromkeys("np", "{colour}{noun}"),
        something="{colour}的东西",
        ground="{ground}背景",
        scenes=("{ground}上的{marks}", "{marks}，{ground}", "{ground}，{marks}"),
        textures={"flat": "{scene}，平涂", "shaded": "{scene}，渐变", "mottled": "{scene}，斑驳"},
    ),
    "de": Language(
        nouns=_nouns(
            "m, Kreis, Kreise, Kreise",
            "m, Ring, Ringe, Ringe",
            "n, Dreieck, Dreiecke, Dreiecke",
            "n, Quadrat, Quadrate, Quadrate",
            "n, Kreuz, Kreuze, Kreuze",
            "m, Stern, Sterne, Sterne",
            "p, Streifen, Streifen, Streifen",
            "n, Gitter, Gitterlinien, Gitterlinien",
        ),
        colours=_colours(
            "roter rote rotes rote rote rotem",
            "oranger orange oranges orange orange orangem",
            "gelber gelbe gelbes gelbe gelbe gelbem",
            "grüner grüne grünes grüne grüne grünem",
            "blauer blaue blaues blaue blaue blauem",
            "violetter violette violettes violette violette violettem",
            "weißer weiße weißes weiße weiße weißem",
            "schwarzer schwarze schwarzes schwarze schwarze schwarzem",
        ),
        one={"m": "ein {colour} {noun}", "n": "ein {colour} {noun}", "p": "{colour} {noun}"},
        few="einige {colour} {noun}",
        many="viele {colour} {noun}",
        marks=_SAME,
        something="etwas {colour}",
        ground="auf {ground} Hintergrund",
        scenes=("{marks} {ground}", "{marks} , {ground}", "{ground} {marks}"),
        textures={"flat": "{scene}, flach", "shaded": "{scene}, schattiert", "mottled": "{scene}, fleckig"},
    ),
    "fr": Language(
        nouns=_nouns(
            "m, cercle, cercles, cercles",
            "m, anneau, anneaux, anneaux",
            "m, triangle, triangles, triangles",
            "m, carré, carrés, carrés",
            "f, croix, croix, croix",
            "f, étoile, étoiles, étoiles",
            "p, rayures, rayures, rayures",
            "f, grille, lignes de grille, lignes de grille",
        ),
        colours=_colours(
            "rouge rouge rouge rouges rouges rouge",
            "orange",
            "jaune jaune jaune jaunes jaunes jaune",
            "vert verte vert vertes verts vert",
            "bleu bleue bleu bleues bleus bleu",
            "violet violette violet violettes violets violet",
            "blanc blanche blanc blanches blancs blanc",
            "noir noire noir noires noirs noir",
        ),
        one={"m": "un {noun} {colour}", "f": "une {noun} {colour}", "p": "{noun} {colour}"},
        few="quelques {noun} {colour}",
        many="beaucoup de {noun} {colour}",
        marks=dict.fromkeys("mfp", "{noun} {colour}"),
        something="quelque chose de {colour}",
        ground="sur fond {ground}",
        scenes=("{marks} {ground}", "{marks} , {ground}", "{ground} , {marks}"),
        textures={"flat": "{scene}, uni", "shaded": "{scene}, ombré", "mottled": "{scene}, tacheté"},
    ),
    "es": Language(
        nouns=_nouns(
            "m, círculo, círculos, círculos",
            "m, anillo, anillos, anillos",
            "m, triángulo, triángulos, triángulos",
            "m, cuadrado, cuadrados, cuadrados",
            "f, cruz, cruces, cruces",
            "f, estrella, estrellas, estrellas",
            "p, rayas, rayas, rayas",
            "f, cuadrícula, líneas de cuadrícula, líneas de cuadrícula",
        ),
        colours=_colours(
            "rojo roja rojo rojas rojos rojo",
            "naranja naranja naranja naranjas naranjas naranja",
            "amarillo amarilla amarillo amarillas amarillos amarillo",
            "verde verde verde verdes verdes verde",
            "azul azul azul azules azules azul",
            "morado morada morado moradas morados morado",
            "blanco blanca blanco blancas blancos blanco",
            "negro negra negro negras negros negro",
        ),
        one={"m": "un {noun} {colour}", "f": "una {noun} {colour}", "p": "{noun} {colour}"},
        few="unos {noun} {colour}",
        many="muchos {noun} {colour}",
        marks=dict.fromkeys("mfp", "{noun} {colour}"),
        something="algo {colour}",
        ground="sobre fondo {ground}",
        scenes=("{marks} {ground}", "{marks} , {ground}", "{ground} , {marks}"),
        textures={"flat": "{scene}, liso", "shaded": "{scene}, sombreado", "mottled": "{scene}, moteado"},
    ),
}
