import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import wavfile

from declaim.assets import shipped
from declaim.media import probe, read_audio


def run(*args: object) -> None:
    subprocess.run([sys.executable, *map(str, args)], check=True, timeout=280)


def test_toy_diffusion_draws_its_clouds(tmp_path: Path) -> None:
    run("examples/toy_diffusion.py", tmp_path / "toy.png")
    assert np.asarray(Image.open(tmp_path / "toy.png")).std() > 10


def test_animate_writes_a_video_and_curves(tmp_path: Path) -> None:
    portrait = next(shipped("demo-portrait").glob("portrait.*"))
    speech = next(shipped("demo-speech").glob("speech.*"))
    run("examples/animate.py", portrait, speech, tmp_path / "out.mp4")
    frames = round(probe(tmp_path / "out.mp4").duration_s * 25)
    rows = (tmp_path / "out.csv").read_text().splitlines()
    assert len(rows) == frames + 1
    assert rows[0].startswith("Timecode,BlendShapeCount,")


def test_streamed_motion_has_all_frames(tmp_path: Path) -> None:
    said = read_audio(next(shipped("demo-speech").glob("speech.*"))).between(0.0, 5.0)  # of three windows
    wavfile.write(tmp_path / "speech.wav", said.sample_rate, said.samples.numpy())
    run("examples/stream_motion.py", tmp_path / "speech.wav", tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 125 + 1
