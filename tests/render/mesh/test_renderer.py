import resource
from itertools import islice

import numpy as np
import pytest
import torch
from skimage.exposure import rescale_intensity

from declaim.face.layouts import FACE64, LIPS_INNER_LOWER, LIPS_INNER_UPPER, TRACKER_SCORES
from declaim.render.mesh import MeshRenderer, MeshRendererConfig
from declaim.render.mesh.puppet import Puppet
from declaim.render.portrait import load_portrait
from declaim.types import Motion

BLINKS = [TRACKER_SCORES.index(n) for n in ("eyeBlinkLeft", "eyeBlinkRight")]


def draw(model, portrait, motion, anchor="rest", **settings):
    run = MeshRenderer(MeshRendererConfig(**settings), model).render(portrait, motion, anchor)
    return np.concatenate([part.images for part in run])


def talking(n_frames, model):
    """A lively made-up motion."""
    generator = torch.Generator().manual_seed(1)
    steps = torch.randn(n_frames, 70, generator=generator).cumsum(0)
    steps = (steps - steps.mean(0)) / 4
    return Motion(torch.cat([steps[:, :64], steps[:, 64:67] * 0.1, steps[:, 67:] * 0.5], 1), FACE64)


def gap_of_lips(points):
    """Distance of the inner lips in face heights."""
    upper, lower = points[list(LIPS_INNER_UPPER[3:8]), :2], points[list(LIPS_INNER_LOWER[3:8]), :2]
    return float((upper - lower).norm(dim=1).mean() / (points[10, :2] - points[152, :2]).norm())


def test_no_motion_gives_the_portrait_back(model, portrait, motion_of):
    frame = draw(model, portrait, motion_of(portrait.expression))[0]
    assert np.abs(frame.astype(int) - portrait.image).max() <= 1


def test_first_frame_of_an_anchored_motion_is_the_portrait(model, portrait, motion_of):
    frame = draw(model, portrait, motion_of(portrait.expression, (0.2, -0.3, 0.1), (3, -2, -60)), "first")[0]
    assert np.abs(frame.astype(int) - portrait.image).max() <= 1


def test_background_stays_and_the_head_moves(model, portrait):
    puppet = Puppet(portrait, model, MeshRendererConfig())
    frames = draw(model, portrait, talking(12, model))
    outside = np.ones(portrait.image.shape[:2], bool)
    x, y = puppet.corner
    outside[y : y + puppet.extent[1], x : x + puppet.extent[0]] = False
    assert outside.mean() > 0.3
    assert (frames[:, outside] == portrait.image[outside]).all()
    far_corner = puppet.around.weight[np.linalg.norm(puppet.around.points[:, :2] - [0, 0], axis=1) < 80]
    assert (far_corner == 0).all()
    inside = frames[:, ~outside].astype(int) - portrait.image[~outside]
    assert np.abs(inside).mean() > 2


def test_background_beside_the_head_is_still(model, portrait):
    """Where the outline is found, even the pixels next to the hair do not move with it."""
    puppet = Puppet(portrait, model, MeshRendererConfig())
    frames = draw(model, portrait, talking(12, model))
    x, y = puppet.corner
    background = puppet.backdrop.alpha[: puppet.extent[1] // 2] == 0
    assert background.mean() > 0.2
    part = frames[:, y : y + background.shape[0], x : x + background.shape[1]].astype(int)
    change = np.abs(part - portrait.image[y : y + background.shape[0], x : x + background.shape[1]]).max(-1)
    assert (change[:, background] == 0).mean() > 0.8


def test_mesh_covers_the_moving_region_without_holes(model, portrait):
    """Painted in one colour, every frame has that colour everywhere: no gap, no NaN, no seam."""
    flat = portrait.__class__(**{**portrait.__dict__, "image": np.full_like(portrait.image, 140)})
    puppet = Puppet(flat, model, MeshRendererConfig(mouth_interior=False))
    frames = draw(model, flat, talking(12, model), mouth_interior=False)
    assert puppet.triangles.max() < len(puppet.source)
    assert np.abs(frames.astype(int) - 140).max() <= 2


def test_run_length_does_not_change_the_pictures(model, portrait):
    motion = talking(7, model)
    once = draw(model, portrait, motion, frames_per_run=7)
    assert (draw(model, portrait, motion, frames_per_run=2) == once).all()
    assert (draw(model, portrait, motion, frames_per_run=7) == once).all()
    sizes = [len(f) for f in MeshRenderer(MeshRendererConfig(frames_per_run=3), model).render(portrait, motion)]
    assert sizes == [3, 3, 1]


def test_smiling_portrait_closes_its_lips(model, portrait, tracker, motion_of):
    smiling = gap_of_lips(portrait.landmarks)
    frame = draw(model, portrait, motion_of(torch.zeros(64)))[0]
    closed = gap_of_lips(tracker.detect(frame)[0].points)
    assert smiling > 0.04
    assert closed < 0.016
    assert closed < 0.3 * smiling


def test_jaw_opens_the_mouth(model, portrait, tracker, jaw_open, motion_of):
    rest, wide = draw(model, portrait, motion_of(torch.stack([torch.zeros(64), jaw_open])))
    assert gap_of_lips(tracker.detect(wide)[0].points) > gap_of_lips(tracker.detect(rest)[0].points) + 0.04


def test_lids_close_with_skin(model, portrait, tracker, eyes_shut, motion_of):
    opened, shut = draw(model, portrait, motion_of(torch.stack([torch.zeros(64), eyes_shut])))
    scores = [float(tracker.detect(image)[0].scores[BLINKS].mean()) for image in (opened, shut)]
    assert scores[0] < 0.15
    assert scores[1] > 0.35


def test_head_turns_as_told(model, portrait, tracker, motion_of):
    size = portrait.image.shape[1], portrait.image.shape[0]
    for rotation, axis in (((0, 0.2, 0), 1), ((0, -0.2, 0), 1), ((0, 0, 0.15), 2), ((0.12, 0, 0), 0)):
        frame = draw(model, portrait, motion_of(torch.zeros(64), rotation))[0]
        seen = model.fit_portrait(tracker.detect(frame)[0].points, size).pose.rotation - portrait.rotation
        assert float(seen[axis]) == pytest.approx(rotation[axis], abs=0.11)
        assert np.sign(float(seen[axis])) == np.sign(rotation[axis])


@pytest.mark.parametrize("style", ["posterised", "grey", "sketch"])
def test_paintings_and_cartoons(model, photograph, tracker, jaw_open, style, motion_of):
    if style == "posterised":
        image = (photograph // 48) * 48 + 24
    elif style == "grey":
        image = np.repeat(photograph.mean(-1, keepdims=True), 3, -1).astype(np.uint8)
    else:
        image = rescale_intensity(photograph, (60, 200), (0, 255)).astype(np.uint8)
    portrait = load_portrait(image, model=model, tracker=tracker)
    frames = draw(model, portrait, motion_of(torch.stack([portrait.expression, jaw_open]), (0, 0.1, 0)))
    assert tracker.detect(frames[1])
    if style == "grey":  # a grey picture has a grey mouth
        assert np.ptp(frames[1].astype(int), axis=-1).max() <= 12


@pytest.mark.parametrize(("size", "crop"), [(97, "head"), (401, "none"), (1080, "none"), (333, "head")])
def test_any_size(model, photograph, tracker, jaw_open, size, crop, motion_of):
    portrait = load_portrait(photograph, size=size, crop=crop, model=model, tracker=tracker)
    assert max(portrait.image.shape[:2]) == size
    frame = draw(model, portrait, motion_of(jaw_open, (0.05, 0.1, 0.05)))[0]
    assert frame.shape == portrait.image.shape
    assert np.abs(frame.astype(int) - portrait.image).max() > 40


def test_small_face_in_a_large_picture_moves_only_there(model, photograph, tracker, jaw_open, motion_of):
    large = np.full((1080, 1920, 3), 90, np.uint8)
    large[200:712, 900:1412] = photograph
    portrait = load_portrait(large, model=model, tracker=tracker)
    puppet = Puppet(portrait, model, MeshRendererConfig())
    assert puppet.extent.prod() < 0.15 * large.shape[0] * large.shape[1]
    frame = draw(model, portrait, motion_of(jaw_open, (0, 0.1, 0)))[0]
    changed = np.argwhere((frame != large).any(-1))
    assert (changed.min(0) >= puppet.corner[::-1]).all()
    assert (changed.max(0) < (puppet.corner + puppet.extent)[::-1]).all()


def test_face_cut_by_the_border(model, photograph, tracker, jaw_open, motion_of):
    cut = np.ascontiguousarray(photograph[40:230, 120:330])
    portrait = load_portrait(cut, model=model, tracker=tracker)
    frames = draw(model, portrait, motion_of(torch.stack([portrait.expression, jaw_open]), (0.1, 0.2, 0.1), (1, 1, 0)))
    assert frames.shape[1:] == cut.shape


def test_memory_is_constant(model, portrait):
    long = talking(250, model)
    run = MeshRenderer(MeshRendererConfig(), model).render(portrait, long)
    for _ in islice(run, 3):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(len(part) for part in run) == 175
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB; 175 frames are 138 MB


def test_extreme_motion_stays_a_picture(model, portrait):
    wild = Motion(torch.randn(4, 70, generator=torch.Generator().manual_seed(0)) * 4, FACE64)
    wild = wild.replace(translation=torch.tensor([[40.0, 0, 60], [0, -40, 0], [0, 0, -500], [-300, 300, 0]]))
    assert draw(model, portrait, wild).shape[0] == 4
