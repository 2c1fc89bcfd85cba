"""A small corpus of real clips, and methods whose scores are known beforehand."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from declaim.assets import state

CLIPS = ("grid-s2/001", "grid-s3/001", "grid-s4/001")


@pytest.fixture(scope="session")
def corpus_folder(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of three train speakers, called eval, with pictures; tracked once."""
    if state("face-landmarker") != "complete":
        pytest.skip("not fetched: declaim assets pull face-landmarker")
    import csv

    from declaim.data.corpus import CLIPS_FILE, ClipRecord, CorpusInfo, file_entry, write_info, write_lines
    from declaim.face.model import FaceModel
    from declaim.face.tracker import FaceTracker, track_motion
    from declaim.media import read_audio, read_frames, write_audio, write_video
    from declaim.pretrained import save_tensors
    from declaim.types import Frames

    out, model, clips = tmp_path_factory.mktemp("corpus"), FaceModel.from_pretrained(), []
    with (footage / "manifest.csv").open(encoding="utf-8") as lines:
        origins = {row["path"]: row["source"] for row in csv.DictReader(lines)}
    write_info(out, CorpusInfo(made_by="test"))
    for wanted in CLIPS:
        path = footage / "clips" / f"{wanted}.mkv"
        name = wanted.replace("/", "_")
        folder = out / "clips" / name
        folder.mkdir(parents=True)
        with FaceTracker() as tracker:
            track = tracker.track(read_frames(path), face="largest")
        speech, motion = read_audio(path), track_motion(track, model)
        frames = min(len(motion), speech.n_frames)
        save_tensors(folder / "motion.safetensors", {"motion": motion.values[:frames], "valid": track.valid[:frames]})
        write_audio(folder / "speech.flac", speech)
        squares = ([_square(i) for i in run.images] for run in read_frames(path))
        write_video(folder / "picture.mp4", (Frames(np.stack(images)) for images in squares))
        files = {"motion": "motion.safetensors", "speech": "speech.flac", "picture": "picture.mp4"}
        clips.append(
            ClipRecord(
                name=name, speaker=wanted.split("/")[0], split="eval", frames=frames, language="en",
                origin=origins[f"clips/{wanted}.mkv"],
                files={key: file_entry(out, folder / file) for key, file in files.items()},
            )
        )  # fmt: skip
    write_lines(out / CLIPS_FILE, clips)
    return out


def _square(image: np.ndarray) -> np.ndarray:
    side = min(image.shape[:2])
    left = (image.shape[1] - side) // 2
    return cv2.resize(np.ascontiguousarray(image[:side, left : left + side]), (224, 224), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="session")
def corpus(corpus_folder: Path):
    """The small corpus; what `Replay` plays."""
    import known_methods

    from declaim.data.corpus import Corpus

    found = Corpus(corpus_folder)
    known_methods.Replay.known = [(found.speech(clip), found.motion(clip)) for clip in found.clips]
    return found


@pytest.fixture(scope="module")
def methods(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """``--weights`` of the methods in `known_methods`, registered while the tests run."""
    from declaim.registry import METHODS

    found = []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("replay", "still", "chance", "mimic"):
            patch.setitem(METHODS, name, f"known_methods:{name.capitalize()}")
            folder = tmp_path_factory.mktemp(f"weights-{name}")
            (folder / "config.json").write_text(f'{{"method": "{name}"}}')
            found.append(f"{name}={folder}")
        yield found
