"""The faults of messages and of values in them: a code for programs, and the sentence for a person."""

from __future__ import annotations

from enum import Enum

from plugin_client.wire.marking import N_


class Fault(Enum):
    """Each member is one reason; its value is the sentence, with the names of an error's data in braces."""

    # --- of one value; "name" is where it stands, "value" what stands there
    NOT_A_MAP = N_("{name} is {value}: must be a map")
    NOT_A_LIST = N_("{name} is {value}: must be a list")
    NOT_A_TUPLE = N_("{name} is {value}: must be a tuple")
    NOT_A_RECORD = N_("{name} is {value}: must be a {record}")
    NOT_TRUE_OR_FALSE = N_("{name} is {value}: must be true or false")
    NOT_TEXT = N_("{name} is {value}: must be text")
    NOT_BYTES = N_("{name} is {value}: must be bytes")
    NOT_BASE64 = N_("{name} is {value}: must be base64 text")
    NOT_JSON = N_("{name} is {value}: must be text, a finite number, true, false, null, a list or a map")
    NOT_A_CHOICE = N_("{name} is {value}: must be one of {choices}")
    NOT_WHOLE_IN_RANGE = N_("{name} is {value}: must be a whole number from {low} to {high}")
    NOT_IN_RANGE = N_("{name} is {value}: must be a number from {low} to {high}")
    LENGTH_OF_TEXT = N_("{name} is {value}: has {count} characters, must have from {low} to {high}")
    LENGTH_OF_BYTES = N_("{name} is {value}: has {count} bytes, must have from {low} to {high}")
    LENGTH_OF_LIST = N_("{name} has {count} entries, must have from {low} to {high}")
    EXACT_LENGTH_OF_LIST = N_("{name} has {count} entries, must have exactly {high}")
    LENGTH_OF_MAP = N_("{name} is {value}: must be a map, with from {low} to {high} entries")
    NOT_THE_PATTERN = N_("{name} is {value}: must match {pattern}")
    NOT_UNICODE = N_("{name} is {value}: holds half of a surrogate pair, which UTF-8 cannot carry")
    BAD_KEY = N_("{name} has the key {value}: keys must be text")
    UNKNOWN_FIELD = N_("{name} has an unknown field {value}")
    MISSING_FIELD = N_("{name} lacks the field {value}")
    TOO_DEEP = N_("{name} is nested too deeply: {high} levels are allowed")
    NO_FRAME = N_("{name} is {value}: must be the number of a pixel frame of this message that no other picture has")
    # --- of the values of one record together
    PIXELS = N_("{name} of {width} x {height} x {channels} has {count} bytes of pixels, must have {expected}")
    PARTIAL_VALUES = N_("{name} has {count} bytes, which are no whole float32 values")
    NOT_FINITE = N_("{name} holds a value that is not finite")
    NO_WEIGHT = N_("{name} have no weight: at least one must not be 0")
    NO_SUM = N_("{name} have weights that sum to 0, or nearly, which cannot be normalised")
    NO_POSITIVE_SUM = N_(
        "{name} have weights that sum to {total:g}: spherical blending needs a positive sum, "
        "so raise a weight, normalise them, or blend linearly"
    )
    DIFFERENT_WIDTHS = N_("{name} have embeddings of different widths")
    SIDE = N_(
        "{name} is {value}: must be a whole number from {low} to {high}, "
        "or 0 like the other side, which leaves both to the model"
    )
    TOO_MANY_PIXELS = N_(
        "{name} is {value}: so many pictures of {width} x {height} are {bytes} bytes, and one job may make {high}"
    )
    SMALL_TARGET = N_("{name} is {value}: must be at least {low}, which the picture has already")
    LARGE_TARGET = N_("{name} is {value}: a picture of {width} x {height} has {bytes} bytes, and one may have {high}")
    MASK_SIZE = N_("{name} is of {width} x {height} pixels, and the picture of {source_width} x {source_height}")
    EMPTY_MASK = N_("{name} is empty: it must be white, or gray, where the picture is to be drawn anew")
    FULL_MASK = N_(
        "{name} covers the whole picture, so there are no surroundings to draw on: keep some of it, or say what to draw"
    )
    OTHER_PICTURE = N_("{name} is another picture than the one of which the recipe was made: its SHA-256 is {value}")
    # --- of a message
    NO_FRAMES = N_("the message has no frames")
    HEADER_TOO_LARGE = N_("the header has {count} bytes, may have {high}")
    TOO_MANY_ENTRIES = N_("the header has more than {high} entries in all its maps and lists")
    FRAME_TOO_LARGE = N_("a pixel frame has {count} bytes, may have {high}")
    MESSAGE_TOO_LARGE = N_("the pixel frames have {count} bytes together, may have {high}")
    UNREADABLE = N_("the header is not readable msgpack: {reason}")
    BAD_MAP = N_("the header has a map with a key that is not text, or with the same key twice")
    UNCLAIMED_FRAME = N_("pixel frame {number} belongs to no picture of the message")
    # --- of a version
    PROTOCOL_VERSION = N_(
        "the message is of protocol version {value}, and this side speaks {known}: "
        "install the same version of Kandinsky Blend on both sides"
    )
    RECIPE_VERSION = N_("the recipe is of version {value}, and this program reads {known}")

    @property
    def code(self) -> str:
        return self.name.lower().replace("_", "-")
