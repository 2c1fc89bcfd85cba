"""The main path in one object: a portrait and speech become a clip.

head = TalkingHead.from_pretrained()
clip = head.animate("portrait.jpg", "speech.wav", seed=7)
clip.write("out.mp4")
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from declaim.data.styles import in_style
from declaim.errors import ConfigError
from declaim.media import Recording, read_recording, write_video
from declaim.motion.casting import Cast
from declaim.motion.style import Style
from declaim.motion.takes import performances
from declaim.render.base import make_renderer
from declaim.render.portrait import load_portrait
from declaim.types import Frames, Motion, OnStep, Portrait, Speech

Anchor = Literal["first", "rest"]

SYNTHETIC = "Synthetic video made with declaim"
"""Comment in the metadata of every video that a `Clip` writes."""


@dataclass(frozen=True, eq=False)
class Clip:
    """A talking head that has been planned but not yet drawn: frames are rendered when they are asked for.

    Attributes:
        portrait: the still picture.
        motion: the motion it is going to make.
        sound: what is heard: a file (its own full-quality sound is kept), a speech signal, or None for silence.
        renderer: draws the frames.
        anchor: which moment of the motion the portrait's own pose stands for.
    """

    portrait: Portrait
    motion: Motion
    sound: Path | Speech | None
    renderer: Any
    anchor: Anchor

    def frames(self) -> Iterator[Frames]:
        """Render the clip in runs of frames, in order and in constant memory."""
        yield from self.renderer.render(self.portrait, self.motion, anchor=self.anchor)

    def write(
        self, path: str | Path, on_step: OnStep | None = None, on_frames: Callable[[Frames], None] | None = None
    ) -> Path:
        """Write the clip as a video whose length is the motion's to the frame.

        Args:
            path: .mp4, .mov or .mkv; it appears whole or not at all.
            on_step: called with (frames written, frames in all).
            on_frames: called with every run of frames before it is written; the pictures may be reused afterwards.

        Returns:
            The path.
        """
        frames = self.frames() if on_frames is None else _shown(self.frames(), on_frames)
        return write_video(
            path, frames, self.sound, len(self.motion), self.motion.fps, on_step=on_step, comment=SYNTHETIC
        )


def _shown(frames: Iterator[Frames], on_frames: Callable[[Frames], None]) -> Iterator[Frames]:
    for run in frames:
        on_frames(run)
        yield run


class TalkingHead:
    """A motion method and a renderer, joined by the motion space.

    Args:
        method: generates a Motion from a Speech (``generate``).
        renderer: draws a Motion on a Portrait (``render``).
    """

    def __init__(self, method: Any, renderer: Any) -> None:
        self.method = method
        self.renderer = renderer

    @classmethod
    def from_pretrained(
        cls,
        method: str = "fd2talk",
        renderer: str = "mesh",
        *,
        weights: str | Path | None = None,
        lips: str | None = None,
        head: str | None = None,
        style: Style | str | Path | None = None,
        speech_guidance: float | None = None,
        style_guidance: float | None = None,
    ) -> "TalkingHead":
        """Load a method's weights and build a renderer.

        Args:
            method: a registered method's name.
            renderer: a registered renderer's name; ``NAME=FOLDER`` for one with weights of yours.
            weights: a saved folder; None for the weights that ship with declaim.
            lips: another method for the lips: ``METHOD`` or ``METHOD=FOLDER``.
            head: another method for head, eyes and the rest of the face.
            style: whose manner to speak in, for methods that take styles: a name, a style file, a motion file, a video
                of somebody who speaks, or ``"none"``; see `declaim.data.styles.find_style`.
            speech_guidance: how much the speech guides, for methods that take styles; the weights' own if left out.
            style_guidance: the same for the style.

        Raises:
            ConfigError: unknown name, a method without weights, or a style for a method that takes none.
            MediaError: the style's video cannot be used.
            AssetError: a pretrained part is not on this machine (the message says how to get it).
            CheckpointError: weights of another method or version.
        """
        cast = Cast.named(method, weights, lips=lips, head=head)
        method_in_style = in_style(cast.load(), style, speech_guidance=speech_guidance, style_guidance=style_guidance)
        return cls(method_in_style, make_renderer(renderer))

    def animate(
        self, portrait: str | Path | Portrait, speech: str | Path | Speech | Recording, *, seed: int = 0, **options: Any
    ) -> Clip:
        """Plan a clip in which ``portrait`` says ``speech``.

        Args:
            portrait: a picture file (or the first frame of a video), or a loaded portrait.
            speech: an audio or video file, read in blocks and never held as a whole; or a loaded signal.
            seed: another seed is another performance; the same seed is the same file, bit for bit.
            options: see `takes`.

        Raises:
            MediaError: a file cannot be used (Unreadable, NoAudio, NoFace, ManyFaces).
        """
        return next(self.takes(portrait, speech, [seed], **options))

    def takes(
        self,
        portrait: str | Path | Portrait,
        speech: str | Path | Speech | Recording,
        seeds: Sequence[int],
        *,
        same_lips: bool = False,
        face: str | int | None = None,
        crop: Literal["none", "head"] = "none",
        size: int | None = None,
        on_step: OnStep | None = None,
        **motion_options: Any,
    ) -> Iterator[Clip]:
        """Plan several performances of one speech, each when it is asked for; portrait and speech are read once.

        Args:
            portrait: a picture file (or the first frame of a video), or a loaded portrait.
            speech: an audio or video file, read in blocks and never held as a whole; or a loaded signal.
            seeds: one for each clip.
            same_lips: all clips have the first one's lips; head, eyes and the rest of the face differ.
            face: which face, if there are several: ``"largest"`` or an index from the left.
            crop: ``"head"`` cuts a square around head and shoulders.
            size: longer side of the result in pixels; None for the picture's own size.
            on_step: progress of motion generation: (frames done, frames in all) of all clips together.
            motion_options: ``pose_scale``, ``expression_scale``, ``blink_scale``, ``steps`` of the method.

        Raises:
            MediaError: a file cannot be used (Unreadable, NoAudio, NoFace, ManyFaces).
        """
        if isinstance(portrait, Portrait):
            if face is not None or crop != "none" or size is not None:
                raise ConfigError("face, crop and size belong to loading: give them to load_portrait instead")
            still = portrait
        else:
            still = load_portrait(portrait, face=face, crop=crop, size=size)
        signal = read_recording(speech) if isinstance(speech, str | Path) else speech
        sound = signal.path if isinstance(signal, Recording) else signal
        made = performances(self.method, signal, seeds, same_lips=same_lips, on_step=on_step, **motion_options)
        for motion in made:
            yield Clip(still, motion, sound, self.renderer, anchor="rest")
