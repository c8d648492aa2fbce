"""The errors that a caller of this package can act on. Imports nothing heavy.

BackendError
 +-- CheckpointError           a checkpoint, or the name of a model, cannot be used
 |    +-- CheckpointNotFound   the model, folder, repository, revision, or a file in it is not there
 |    +-- CheckpointBroken     a file is there, but its contents are not what they must be
 |    +-- CheckpointRefused    its weights are pickles
 |    +-- HubError             the hub cannot be reached, or does not let us in
 |    +-- WeightsError         a file does not hold exactly the tensors that the model needs
 +-- DeviceError               a device or precision that this machine does not offer
 +-- NotEnoughMemory           a blend takes more memory than there is
 +-- BlendError                a blend that has no meaning, or that this model cannot make
 +-- PictureError              a picture cannot be used
      +-- PictureNotFound      there is no such file, or it may not be read
      +-- PictureBroken        the bytes are damaged, end too early, or are no picture at all
      +-- PictureUnsupported   it is a picture, of a format or kind that is not read
      +-- PictureAnimated      it holds more than one frame or page
      +-- PictureTooLarge      it has more pixels than picture_files.MAX_PICTURE_PIXELS

PictureWarning                the pixels were read; something else in the file was not, or not as the file says

An error carries data: a sentence with gaps, what belongs into them, and a code that tells it from its siblings.
"""

from __future__ import annotations

from collections.abc import Callable

Note = Callable[[str], None]  # takes what a person should know of a picture that was read nevertheless


class BackendError(ValueError):
    """The root of the tree.

    Args:
        sentence: one sentence fit to be shown to a person; names of `data` in braces are gaps, as of str.format.
        code: the reason for programs, unique within a class.
        data: what belongs into the gaps.
    """

    def __init__(self, sentence: str, code: str, **data: object) -> None:
        super().__init__(sentence.format(**data))
        self.sentence = sentence
        self.code = code
        self.data = data


class CheckpointError(BackendError):
    """A checkpoint, or the name of a model, cannot be used."""


class CheckpointNotFound(CheckpointError):
    """The model, folder, repository, revision, or a file in it is not there."""


class CheckpointBroken(CheckpointError):
    """A file of a checkpoint is there, but its contents are not what they must be."""


class CheckpointRefused(CheckpointError):
    """The checkpoint's weights are pickles, or pickles were asked for."""


class HubError(CheckpointError):
    """The hub cannot be reached, or does not let us in."""


class WeightsError(CheckpointError):
    """A file does not hold exactly the tensors that the model needs."""


class DeviceError(BackendError):
    """A device or precision that this machine, or this build of MindSpore, does not offer."""


class BlendError(BackendError):
    """A blend that has no meaning, or that this model cannot make."""


class NotEnoughMemory(BackendError):
    """A blend takes more memory than there is on this machine."""


class PictureError(BackendError):
    """A picture cannot be used; `data` names it."""


class PictureNotFound(PictureError):
    """There is no such file, or it may not be read."""


class PictureBroken(PictureError):
    """The bytes are damaged, end too early, or are no picture at all."""


class PictureUnsupported(PictureError):
    """The bytes are a picture, of a format or kind that is not read."""


class PictureAnimated(PictureError):
    """The file holds more than one frame or page."""


class PictureTooLarge(PictureError):
    """The picture has more than MAX_PICTURE_PIXELS pixels."""


class PictureWarning(UserWarning):
    """The pixels of a picture were read; something else in its file was not, or not as the file says."""
