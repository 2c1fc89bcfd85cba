"""The main path in a few lines: a portrait and speech become a video, and the same motion drives an avatar.

python examples/animate.py portrait.jpg speech.wav out.mp4
"""

import sys
from pathlib import Path

from declaim import TalkingHead
from declaim.export import save_motion


def main(portrait: Path, speech: Path, out: Path) -> None:
    """Animate, write the video, and write the 52 ARKit curves beside it."""
    clip = TalkingHead.from_pretrained().animate(portrait, speech, seed=7, crop="head", size=256)
    clip.write(out)
    save_motion(out.with_suffix(".csv"), clip.motion, pose_origin="rest")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
