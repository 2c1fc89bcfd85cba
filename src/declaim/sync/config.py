"""Sizes of the sync expert."""

from pydantic import BaseModel, ConfigDict, Field


class SyncConfig(BaseModel):
    """Two or three towers that embed .4 s of speech, of lip motion and of mouth pictures into one space."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    encoder: str = "whisper-tiny.en"
    """Speech encoder whose features are embedded."""
    speech_dim: int = Field(772, gt=0)
    """Features a frame."""
    lip_directions: int = Field(10, gt=0, le=64)
    """Directions in b that are the lips': ten hold 99 % of the lip points' variance."""
    embedding: int = Field(128, gt=0)
    """Size of the common space."""
    speech_width: int = Field(192, gt=0)
    """Channels of the speech tower."""
    motion_width: int = Field(128, gt=0)
    """Channels of the motion tower."""
    kernels: tuple[int, ...] = Field((4, 4, 4), min_length=1)
    """Frames of each temporal convolution; without padding they see a window of 1 + 3 + 3 + 3 = 10 frames, .4 s."""
    picture_channels: tuple[int, ...] = ()
    """Channels of the convolutions over one mouth picture; empty: no picture head."""
    picture_width: int = Field(128, gt=0)
    """Channels of the picture tower's temporal convolutions."""
    speech_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of a branch's output that the speech tower drops in training."""
    motion_dropout: float = Field(0.2, ge=0, lt=1)
    """The same in the motion and picture towers."""

    @property
    def window(self) -> int:
        """Frames that one embedding sees."""
        return 1 + sum(kernel - 1 for kernel in self.kernels)


def default() -> SyncConfig:
    """The sizes that ship."""
    return SyncConfig(picture_channels=(24, 32, 64))


def tiny(speech_dim: int = 12) -> SyncConfig:
    """For tests."""
    return SyncConfig(
        encoder="test", speech_dim=speech_dim, lip_directions=4, embedding=8, speech_width=16, motion_width=16,
        picture_channels=(4, 4, 4), picture_width=16,
    )  # fmt: skip
