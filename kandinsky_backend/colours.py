"""Colours that a picture's file describes, as sRGB of 8 bits: relative colorimetric, with black point compensation.

A description is an ICC profile, or an RgbSpace made of primaries, a white point and a transfer curve, as PNG's gAMA and
cHRM, the code points of ITU-T H.273 (cICP in PNG, nclx in AVIF) and EXIF's Adobe RGB tag give them. Colours outside
sRGB are clipped to it.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from kandinsky_backend.errors import Note
from kandinsky_backend.formats import BROKEN

Floats = npt.NDArray[np.floating[Any]]
Curve = Callable[[Floats], Floats]  # encoded values in 0..1 -> light, 1 being white
Chromaticities = tuple[float, float, float, float, float, float, float, float]  # x, y of white, red, green, blue

_D50_XYZ = np.array([0.9642, 1.0, 0.8249])  # the white of ICC's connection space
_D65 = (0.3127, 0.3290)
_P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
SRGB_CHROMATICITIES: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_ADOBE_CHROMATICITIES: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)

_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_PIXELS_AT_ONCE = 2**18  # so that the floats in between stay small


@dataclass(frozen=True)
class RgbSpace:
    """An RGB colour space: how each channel is decoded, and the matrix (3, 3) from its light to sRGB's."""

    curves: tuple[Curve, Curve, Curve]
    to_srgb: Floats


@dataclass(frozen=True)
class Samples:
    """A picture of any depth: `colours` (H, W, 1 or 3) encoded, `white` their largest value; `alpha` (H, W) in 0..1."""

    colours: npt.NDArray[Any]
    white: float
    alpha: Floats | None = None


Description = RgbSpace | bytes  # bytes are an ICC profile


# --- spaces ------------------------------------------------------------------------------------------------------


def srgb_curve(values: Floats) -> Floats:
    """sRGB's encoded values as light."""
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)


def _srgb_encoded(light: Floats) -> Floats:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def power_curve(exponent: float) -> Curve:
    """A pure power of the encoded value."""
    return lambda values: np.maximum(values, 0) ** exponent


def space_of(chromaticities: Chromaticities, curve: Curve) -> RgbSpace | None:
    """The space of these primaries, adapted to sRGB's white; None when they cannot be of any."""
    try:
        to_d65 = _adaptation(_xyz(*chromaticities[:2]), _xyz(*_D65))
        matrix = np.linalg.inv(_rgb_to_xyz(SRGB_CHROMATICITIES)) @ to_d65 @ _rgb_to_xyz(chromaticities)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    usable = np.isfinite(matrix).all() and np.abs(matrix).max() < 100  # primaries on one line make anything
    return RgbSpace((curve, curve, curve), matrix) if usable else None


def _xyz(x: float, y: float) -> Floats:
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _rgb_to_xyz(chromaticities: Chromaticities) -> Floats:
    white, *primaries = (_xyz(*chromaticities[n : n + 2]) for n in range(0, 8, 2))
    columns = np.stack(primaries, axis=1)
    return columns * np.linalg.solve(columns, white)


def _adaptation(white: Floats, target: Floats) -> Floats:
    """Bradford's matrix from XYZ under one white to XYZ under another."""
    ratio = (_BRADFORD @ target) / (_BRADFORD @ white)
    return np.linalg.inv(_BRADFORD) @ (ratio[:, None] * _BRADFORD)


ADOBE_RGB = space_of(_ADOBE_CHROMATICITIES, power_curve(563 / 256))

# --- H.273 -------------------------------------------------------------------------------------------------------

_PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB_CHROMATICITIES,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, *_P3),
    12: (*_D65, *_P3),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_REFERENCE_WHITE = 203.0  # cd/m2, of ITU-R BT.2408: what a page of paper has in an HDR picture


def _bt709(values: Floats) -> Floats:
    return np.where(values < 0.081243, values / 4.5, ((np.maximum(values, 0) + 0.099297) / 1.099297) ** (1 / 0.45))


def _pq(values: Floats) -> Floats:
    """SMPTE ST 2084, 1 being the reference white."""
    power = np.maximum(values, 0) ** (1 / 78.84375)
    light = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return 10_000 / _REFERENCE_WHITE * light ** (1 / 0.1593017578125)


def _hlg(values: Floats) -> Floats:
    """ARIB STD-B67 on a screen of 1000 cd/m2, 1 being the reference white, which stands at 0.75."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
    return (scene / ((np.exp((0.75 - c) / a) + b) / 12)) ** 1.2


_TRANSFERS: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 11, 12, 14, 15), _bt709),
    4: power_curve(2.2),
    5: power_curve(2.8),
    8: power_curve(1.0),
    13: srgb_curve,
    16: _pq,
    17: power_curve(2.6),
    18: _hlg,
}
_HDR = (16, 18)
_UNSPECIFIED = 2


def space_of_code_points(primaries: int, transfer: int, *, full_range: bool, note: Note) -> RgbSpace | None:
    """The space that H.273's code points name; None, after a note, when it is not known."""
    if _UNSPECIFIED in (primaries, transfer):
        return None
    if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
        note(f"its colour code points {primaries} and {transfer} are not known, so it was read as sRGB")
        return None
    if transfer in _HDR:
        note("it has a high dynamic range: what is brighter than paper white became white")
    curve = _TRANSFERS[transfer]
    return space_of(_PRIMARIES[primaries], curve if full_range else _of_narrow_range(curve))


def _of_narrow_range(curve: Curve) -> Curve:
    return lambda values: curve((values * 255 - 16) / 219)


# --- ICC profiles ------------------------------------------------------------------------------------------------

_LUT_TAGS = frozenset((b"A2B0", b"A2B1", b"D2B0", b"D2B1"))


def _matrix_space(profile: bytes) -> RgbSpace | None:
    """The space of a profile that is three colours and three curves, or one curve of gray; None of any other."""
    try:
        tags = _tags(profile)
        if tags.keys() & _LUT_TAGS:
            return None
        if profile[16:20] == b"GRAY":
            gray = _curve(tags[b"kTRC"])
            return RgbSpace((gray, gray, gray), np.eye(3))
        columns = [struct.unpack(">3i", tags[name][8:20]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        red, green, blue = (_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
    except (KeyError, IndexError, struct.error, ValueError):
        return None
    to_d65 = _adaptation(_D50_XYZ, _xyz(*_D65))
    matrix = np.linalg.inv(_rgb_to_xyz(SRGB_CHROMATICITIES)) @ to_d65 @ (np.array(columns).T / 65536)
    return RgbSpace((red, green, blue), matrix)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * n) for n in range(min(count, 100)))
    return {name: profile[start : start + length] for name, start, length in entries}


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _parametric(int.from_bytes(tag[8:10], "big"), tag[12:])
    (count,) = struct.unpack_from(">I", tag, 8)
    if tag[:4] != b"curv" or len(tag) < 12 + 2 * count:
        raise ValueError("no curve of a known kind")
    if count == 0:
        return power_curve(1.0)
    table = np.frombuffer(tag, ">u2", count, 12).astype(np.float64)
    if count == 1:
        return power_curve(table[0] / 256)
    return lambda values: np.interp(values, np.linspace(0, 1, count), table / 65535)


def _parametric(kind: int, data: bytes) -> Curve:
    """A parametricCurveType: (a x + b)^g + e from d on, and c x + f below."""
    numbers = [value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", data)]
    if kind in (1, 2):
        below = numbers[3] if kind == 2 else 0.0
        numbers = [*numbers[:3], 0.0, -numbers[2] / numbers[1] if numbers[1] else 0.0, below, below]
    g, a, b, c, d, e, f = numbers + [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(numbers) :]
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


# --- what a file says --------------------------------------------------------------------------------------------

_EXIF_IFD, _INTEROPERABILITY_IFD, _COLOUR_SPACE, _INTEROPERABILITY = 0x8769, 0xA005, 0xA001, 1
_ADOBE_RGB_VALUE, _UNCALIBRATED = 2, 0xFFFF


def description_of(info: Mapping[Any, Any], exif: Image.Exif, note: Note) -> Description | None:
    """The colours that a file declares; None where it declares none, or sRGB.

    Args:
        info: as Pillow's image.info. Read are "cicp", "icc_profile", "srgb", "gamma" and "chromaticity", in this order
            of trust, and EXIF after them.
    """
    if cicp := info.get("cicp"):
        return space_of_code_points(cicp[0], cicp[1], full_range=bool(cicp[3]), note=note)
    if profile := info.get("icc_profile"):
        return bytes(profile)
    if "icc_profile" in info:  # None: what Pillow makes of a JPEG that lacks some of its profile's segments
        note("its colour profile is incomplete and was ignored")
    if "srgb" in info:
        return None
    if "gamma" in info or "chromaticity" in info:
        return _png_space(info.get("gamma"), info.get("chromaticity"), note)
    return ADOBE_RGB if _is_adobe_rgb(exif) else None


# What gAMA can say of sRGB's curve is 1/2.2, so sRGB's own curve stands wherever that power would: a file of 0.45455 is
# left as it is, and others change by what they differ from it, as libpng does it.
_SRGB_AS_A_POWER = 2.2


def _png_space(gamma: float | None, chromaticities: Chromaticities | None, note: Note) -> RgbSpace | None:
    if gamma is not None and not 0.01 <= gamma <= 10:
        note(f"its gamma of {gamma:g} cannot be, so it was read as sRGB")
        return None
    exponent = 1.0 if gamma is None else 1 / (_SRGB_AS_A_POWER * gamma)
    space = space_of(chromaticities or SRGB_CHROMATICITIES, lambda values: srgb_curve(values**exponent))
    if space is None:
        note("its primary colours cannot be, so it was read as sRGB")
    return space


def _is_adobe_rgb(exif: Image.Exif) -> bool:
    """Whether EXIF says so: by the value that cameras made up for it, or by the rule for camera files (DCF)."""
    try:
        named = exif.get_ifd(_EXIF_IFD).get(_COLOUR_SPACE)
        if named == _UNCALIBRATED:
            return str(exif.get_ifd(_INTEROPERABILITY_IFD).get(_INTEROPERABILITY)).startswith("R03")
    except BROKEN:
        return False
    return named == _ADOBE_RGB_VALUE


# --- to sRGB -----------------------------------------------------------------------------------------------------

_SRGB_BYTES = (_srgb_encoded(np.arange(65536) / 65535) * 255).round().astype(np.uint8)


def image_to_srgb(image: Image.Image, description: Description | None, note: Note) -> Image.Image:
    """An opaque picture of 8-bit samples, of any of Pillow's modes, as RGB."""
    if image.mode == "LAB":
        return _by_cms(image, ImageCms.createProfile("LAB"), "LAB")
    if isinstance(description, bytes):
        return _by_profile(image, description, note)
    rgb = image.convert("RGB")
    if description is None or image.mode == "CMYK":
        return rgb
    return samples_to_srgb(Samples(np.asarray(rgb), 255.0), description, note)


def samples_to_srgb(samples: Samples, description: Description | None, note: Note) -> Image.Image:
    """A picture of samples as RGB, or RGBA where it has alpha."""
    space = _matrix_space(description) if isinstance(description, bytes) else description
    picture = Image.fromarray(_encoded(samples, space))
    if isinstance(description, bytes) and space is None:
        gray = samples.colours.shape[2] == 1
        picture = _by_profile(picture.convert("L") if gray else picture, description, note)
    if samples.alpha is not None:
        picture.putalpha(Image.fromarray((samples.alpha.clip(0, 1) * 255).round().astype(np.uint8)))
    return picture


def _encoded(samples: Samples, space: RgbSpace | None) -> npt.NDArray[np.uint8]:
    """(H, W, 3): the samples in sRGB, or as they are when there is no space."""
    height, width, channels = samples.colours.shape
    encoded = np.empty((height, width, 3), np.uint8)
    rows = max(1, _PIXELS_AT_ONCE // max(1, width))
    convert = _converter(samples, space)
    for top in range(0, height, rows):
        part = samples.colours[top : top + rows]
        encoded[top : top + rows] = convert(part if channels == 3 else np.repeat(part, 3, axis=2))
    return encoded


def _converter(samples: Samples, space: RgbSpace | None) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]:
    """Build the function that makes bytes of sRGB from an array (..., 3) of values as those of `samples`."""
    if space is None:
        return lambda part: (_unit(part, samples.white) * 255).round().astype(np.uint8)
    to_srgb = space.to_srgb.T.astype(np.float32)
    decoders = [_decoder(samples, curve) for curve in space.curves]

    def convert(part: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        light = np.stack([decode(part[..., n]) for n, decode in enumerate(decoders)], axis=-1) @ to_srgb
        return _SRGB_BYTES[(light.clip(0, 1) * np.float32(65535) + np.float32(0.5)).astype(np.uint16)]

    return convert


def _decoder(samples: Samples, curve: Curve) -> Callable[[npt.NDArray[Any]], Floats]:
    """Build the function that makes light of the values of a channel: by a table where there are few different ones."""
    if not np.issubdtype(samples.colours.dtype, np.unsignedinteger) or samples.white > 65535:
        return lambda part: curve(_unit(part, samples.white)).astype(np.float32)
    table = curve(_unit(np.arange(np.iinfo(samples.colours.dtype).max + 1), samples.white)).astype(np.float32)
    return lambda part: table[part]


def _unit(values: npt.NDArray[Any], white: float) -> Floats:
    """`values` in 0..1; what is not a number is black."""
    scaled: Floats = np.divide(values, white, dtype=np.float32 if white <= 65535 else np.float64)
    return np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=0.0).clip(0, 1)


# --- by LittleCMS ------------------------------------------------------------------------------------------------

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}


def _by_profile(image: Image.Image, profile: bytes, note: Note) -> Image.Image:
    """`image`, of 8 bits, by an ICC profile; as if there were none, after a note, if that is broken or of no use."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(source.profile.xcolor_space, "")
        if not _is_for(mode, image.mode):
            note(f"its colour profile is for {source.profile.xcolor_space.strip()} and was ignored")
            return image.convert("RGB")
        return _by_cms(image, source, mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, ImportError) as exc:  # of a Pillow without LittleCMS
        note(f"its colour profile is broken, or cannot be used, and was ignored ({exc})")
        return image.convert("RGB")


def _is_for(profile_mode: str, mode: str) -> bool:
    """Whether a profile of one mode can describe a picture of another: RGB describes gray and palettes too."""
    if mode in ("CMYK", "LAB"):
        return profile_mode == mode
    return profile_mode == "RGB" or (profile_mode == "L" and mode in ("1", "L"))


def _by_cms(image: Image.Image, source: Any, mode: str) -> Image.Image:
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.HIGHRESPRECALC,
    )
    given = image if image.mode == mode else image.convert(mode)
    if mode == "RGB" and _changes_nothing(transform):
        return given
    converted = ImageCms.applyTransform(given, transform)
    assert converted is not None  # as it would be in place
    return converted


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether it is sRGB's own, by what it does to colours from all over the cube and to all grays."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    grays = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, -1, 3)
    probe = np.concatenate([cube, grays], axis=1)
    converted = ImageCms.applyTransform(Image.fromarray(probe), transform)
    return bool(np.abs(np.asarray(converted).astype(int) - probe).max() <= 1)
