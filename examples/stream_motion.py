"""Motion while the speech is still arriving: chunks of a file stand for a microphone.

python examples/stream_motion.py speech.wav motion.csv
"""

import sys
from pathlib import Path

import torch

from declaim.export import save_motion
from declaim.face.layouts import FACE64
from declaim.media import stream_sound
from declaim.methods.fd2talk import FD2Talk
from declaim.types import Motion


def main(speech: Path, out: Path) -> None:
    """Push chunk by chunk, tell how far the motion is behind, and keep what comes."""
    stream = FD2Talk.from_pretrained().open(16_000, look_ahead_s=1.0, seed=7)
    parts, heard = [], 0
    for block in stream_sound(speech, 16_000):
        parts.append(stream.push(torch.from_numpy(block[:, 0])))
        heard += len(block)
        if len(parts[-1]):
            made = sum(map(len, parts)) / 25
            print(f"{heard / 16_000:6.2f} s heard, {made:6.2f} s of motion")
    parts.append(stream.close())
    save_motion(out, Motion(torch.cat([part.values for part in parts]), FACE64), pose_origin="rest")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
