"""A corpus of made-up people, written as files, for tests of training."""

from pathlib import Path

import pytest
import torch

from declaim.data.corpus import (
    CLIPS_FILE,
    ClipRecord,
    CorpusInfo,
    features_key,
    file_entry,
    write_info,
    write_lines,
)
from declaim.face.anatomy import Anatomy
from declaim.face.model import FaceModel
from declaim.pretrained import save_tensors

ENCODER, FRAMES, WIDTH = "whisper-tiny.en", 64, 772
SPEAKERS = {"ann": "CC BY 4.0", "ben": "CC BY 4.0", "cem": "public domain"}


def made_up_clip(anatomy: Anatomy, seed: int) -> dict[str, torch.Tensor]:
    """Lips that follow the sound, two blinks, a head that sways."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(FRAMES) / 25
    voice = torch.sin(time[:, None] * (3 + 9 * torch.rand(4, generator=generator)))
    expression = 0.3 * voice @ torch.randn(4, 64, generator=torch.Generator().manual_seed(1))
    shut = -0.5 * anatomy.eyes / anatomy.eyes.square().sum()
    for middle in (20, 44):
        expression += torch.exp(-0.5 * ((torch.arange(FRAMES) - middle) / 1.5).square())[:, None] * shut
    pose = 0.1 * torch.sin(time[:, None] * (1 + torch.rand(6, generator=generator)))
    heard = voice @ torch.randn(4, WIDTH, generator=torch.Generator().manual_seed(2))
    return {"motion": torch.cat([expression, pose], 1), "valid": torch.ones(FRAMES, dtype=torch.bool), "heard": heard}


def write_corpus(folder: Path, clips_each: int = 2) -> Path:
    """A corpus of three speakers."""
    folder.mkdir(parents=True)
    write_info(folder, CorpusInfo(made_by="tests"))
    anatomy, records = Anatomy.of(FaceModel.from_pretrained()), []
    for s, (speaker, licence) in enumerate(SPEAKERS.items()):
        for k in range(clips_each):
            name = f"{speaker}_{k}"
            clip, own = made_up_clip(anatomy, 10 * s + k), folder / "clips" / name
            own.mkdir(parents=True)
            save_tensors(own / "motion.safetensors", {n: clip[n] for n in ("motion", "valid")})
            key = features_key(ENCODER)
            save_tensors(own / f"{key}.safetensors", {"features": clip["heard"].half()})
            save_tensors(own / "activity.safetensors", {"speaking": clip["valid"]})
            files = {kind: file_entry(folder, own / f"{kind}.safetensors") for kind in ("motion", "activity", key)}
            records.append(
                ClipRecord(name=name, speaker=speaker, split="train", licence=licence, frames=FRAMES, files=files)
            )
    write_lines(folder / CLIPS_FILE, records)
    return folder


@pytest.fixture(scope="session")
def little_corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("made up") / "little corpus")
