"""What is compared: a motion as points of the mean person, and a clip's speech with its tracked truth."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.audio.phonemes import align, frame_spans, grid_words
from declaim.data.corpus import ClipRecord, Corpus
from declaim.face.model import FaceModel
from declaim.metrics.activity import onsets_s, speaking
from declaim.metrics.functional.lip import mouth_opening
from declaim.metrics.functional.motion import head_deviation
from declaim.types import Motion, Speech


@dataclass(frozen=True, eq=False)
class Performance:
    """A motion as points of the mean person in the head frame, with its head motion around the clip's mean.

    Attributes:
        motion: as generated or tracked.
        points: `FaceModel.points` of its expression, cm.
        turns: head rotation around its own mean, axis-angle, rad.
        arkit: `declaim.face.arkit.arkit_from_motion`, if the full head is to be compared.
    """

    motion: Motion
    points: Float[Tensor, "frames points 3"]
    turns: Float[Tensor, "frames 3"]
    arkit: Float[Tensor, "frames 52"] | None = None

    @classmethod
    def of(cls, motion: Motion, model: FaceModel, arkit: Float[Tensor, "frames 52"] | None = None) -> "Performance":
        """The performance of a motion (no batch axis)."""
        return cls(motion, model.points(motion["expression"]), head_deviation(motion["rotation"]), arkit)

    @cached_property
    def opening(self) -> Float[Tensor, " frames"]:
        """Opening of the mouth, cm."""
        return mouth_opening(self.points)

    def cut(self, frames: int) -> "Performance":
        """The first frames."""
        if frames >= len(self):
            return self
        turns, arkit = head_deviation(self.turns[:frames]), None if self.arkit is None else self.arkit[:frames]
        return Performance(self.motion.frames(0, frames), self.points[:frames], turns, arkit)

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True, eq=False)
class Reference:
    """What a clip's sound and picture say.

    Attributes:
        clip: its record.
        speech: its sound.
        truth: its tracked motion.
        speaking: frames that hold speech.
        onsets: syllable onsets, s.
        spans: frames of every p, b and m where the words are known; else None.
        true_scores: the truth's own scores by the number of frames, as far as they are known.
    """

    clip: ClipRecord
    speech: Speech
    truth: Performance
    speaking: Bool[Tensor, " frames"]
    onsets: Float[Tensor, " onsets"]
    spans: list[tuple[int, int]] | None
    true_scores: dict[int, dict[str, float | None]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, corpus: Corpus, clip: ClipRecord, model: FaceModel, arkit: Float[Tensor, "_ 52"] | None = None
    ) -> "Reference":
        """The reference of a corpus's clip; sound and picture are cut to the shorter one."""
        speech, truth = corpus.speech(clip), corpus.motion(clip)
        frames = min(len(truth), speech.n_frames)
        words = spoken_words(clip)
        return cls(
            clip,
            speech,
            Performance.of(truth, model, arkit).cut(frames),
            speaking(speech)[:frames],
            onsets_s(speech),
            frame_spans(align(speech, words), frames) if words else None,
        )

    def __len__(self) -> int:
        return len(self.truth)

    def cut(self, frames: int) -> "Reference":
        """The first frames; spans that leave them are dropped."""
        if frames >= len(self):
            return self
        inside = None if self.spans is None else [(a, b) for a, b in self.spans if b <= frames]
        truth = self.truth.cut(frames)
        return Reference(self.clip, self.speech, truth, self.speaking[:frames], self.onsets, inside)


def spoken_words(clip: ClipRecord) -> list[str] | None:
    """The words of a GRID clip, which its file's name tells; None for others."""
    return grid_words(clip.origin or clip.source) if "grid" in clip.speaker.lower() else None


def doubled(speech: Speech, frames: int, gap: int, per_frame: int) -> Speech:
    """``frames`` of speech, ``gap`` frames of digital silence, the same speech again.

    Args:
        speech: the clip's sound; filled with silence if it is shorter.
        frames: video frames taken of it.
        gap: video frames of silence.
        per_frame: samples in a video frame.
    """
    samples = torch.nn.functional.pad(speech.samples, (0, per_frame))[: frames * per_frame]
    return Speech(torch.cat([samples, torch.zeros(gap * per_frame), samples]), speech.sample_rate)
