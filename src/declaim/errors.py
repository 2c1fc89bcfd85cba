"""The error tree.

    DeclaimError
    ├── ConfigError          a setting is unknown, out of range or contradictory
    ├── AssetError           a pretrained part is missing, corrupt or cannot be fetched
    ├── MediaError           an input or output file cannot be used
    │   ├── Unreadable       the file is missing, truncated, corrupt or of another kind
    │   ├── NoAudio          a file has no usable sound
    │   ├── NoPicture        a file has no usable picture
    │   ├── NoFace           no usable face in a picture or video
    │   ├── ManyFaces        several faces and no choice between them
    │   └── Unwritable       the output cannot be written
    ├── Diverged             training met a number that is none
    ├── CheckpointError      saved weights or motion files do not fit this version
    └── CapacityError        the machine cannot do it (memory, disk)

A message is one sentence or two: what was got, what was expected, what to do.
"""


class DeclaimError(Exception):
    """Base of every error that declaim raises on purpose."""

    exit_code = 2


class ConfigError(DeclaimError):
    """A setting is unknown, out of range or contradictory."""


class AssetError(DeclaimError):
    """A pretrained part is missing, corrupt or cannot be fetched."""

    exit_code = 3


class MediaError(DeclaimError):
    """An input or output file cannot be used."""


class Unreadable(MediaError):
    """The file is missing, truncated, corrupt or of another kind."""


class NoAudio(MediaError):
    """The file has no usable sound."""


class NoPicture(MediaError):
    """The file has no usable picture."""


class NoFace(MediaError):
    """There is no usable face in a picture or video."""


class ManyFaces(MediaError):
    """There are several faces and no choice between them was made."""


class Unwritable(MediaError):
    """The output cannot be written."""


class CheckpointError(DeclaimError):
    """Saved weights or motion files do not fit this version of declaim."""


class Diverged(DeclaimError):
    """Training met a loss or a gradient that is not a number, or infinite."""


class CapacityError(DeclaimError):
    """The machine cannot do it: memory or disk ran out."""

    exit_code = 3


class DeclaimWarning(UserWarning):
    """Something works but probably not as well as the user expects."""
