"""A corpus with pictures of known motion: the demo portrait, driven by the mesh renderer."""

from fractions import Fraction
from pathlib import Path

import torch

from declaim.assets import shipped
from declaim.data.corpus import CLIPS_FILE, ClipRecord, CorpusInfo, file_entry, write_info, write_lines
from declaim.face.anatomy import Anatomy
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.face.tracker import FaceTracker
from declaim.media import write_video
from declaim.pretrained import save_tensors
from declaim.render.geometry import anchored, picture_size
from declaim.render.mesh import MeshRendererConfig
from declaim.render.mesh.puppet import Puppet
from declaim.render.portrait import load_portrait
from declaim.types import Frames, Motion, Portrait

FRAMES = 16
CLIPS = {
    "ann_0": ("ann", "train", (), True),
    "ann_1": ("ann", "train", (), True),
    "ben_0": ("ben", "silent", ("no speech",), False),
    "cem_0": ("cem", "train", ("small face",), False),
    "dan_0": ("dan", "eval", (), True),
}
"""Speaker, split, flags and whether usable, by clip."""


def driven(model: FaceModel, seed: int) -> Motion:
    """A mouth that opens and closes while the head turns a little."""
    time = torch.arange(FRAMES)[:, None] / FRAMES
    mouth = Anatomy.of(model).mouth
    opening = torch.sin(6.3 * (time + 0.1 * seed)).clamp(min=0) * mouth / mouth.square().sum()
    pose = torch.zeros(FRAMES, 6)
    pose[:, :3] = 0.1 * torch.sin(3 * time + torch.tensor([0.0, 1.0, 2.0 + seed]))
    return Motion(torch.cat([opening, pose], 1), FACE64)


def write_picture_corpus(folder: Path) -> Path:
    """The corpus of `CLIPS`."""
    folder.mkdir(parents=True)
    write_info(folder, CorpusInfo(made_by="tests"))
    model = FaceModel.from_pretrained()
    with FaceTracker() as tracker:
        portrait = load_portrait(
            shipped("demo-portrait") / "portrait.png", crop="head", size=256, model=model, tracker=tracker
        )
    records = [_clip(folder, name, portrait, model, n) for n, name in enumerate(CLIPS)]
    write_lines(folder / CLIPS_FILE, records)
    return folder


def _clip(folder: Path, name: str, portrait: Portrait, model: FaceModel, seed: int) -> ClipRecord:
    speaker, split, flags, usable = CLIPS[name]
    motion, own = driven(model, seed), folder / "clips" / name
    own.mkdir(parents=True)
    worn, poses = anchored(portrait, motion, "rest", model)
    puppet, offsets = Puppet(worn, model, MeshRendererConfig()), model.offsets(motion["expression"]).double().numpy()
    write_video(own / "picture.mp4", [Frames(puppet.frames(offsets, poses), Fraction(25))])
    valid = torch.ones(FRAMES, dtype=torch.bool)
    valid[3] = False
    save_tensors(own / "motion.safetensors", {"motion": motion.values, "valid": valid})
    points = torch.from_numpy(puppet.points(offsets, poses)).float() * 2 + torch.tensor([30.0, 50.0, 0.0])
    size = torch.tensor([2 * n + 100 for n in picture_size(portrait)])
    track = {"points": points, "scores": torch.zeros(FRAMES, 52), "valid": valid, "size": size}
    save_tensors(own / "track.safetensors", track)
    files = {
        key: file_entry(folder, own / f"{key}.{end}")
        for key, end in (("motion", "safetensors"), ("picture", "mp4"), ("track", "safetensors"))
    }
    return ClipRecord(
        name=name, speaker=speaker, split=split, frames=FRAMES, files=files, flags=flags, usable=usable, licence="CC0",
        crop_box=(30.0, 50.0, 512.0),
    )  # fmt: skip
