"""The shipped weights without the speech encoder: features are made up, so only gross behaviour is tested."""

import pytest
import torch

from declaim.face.anatomy import Anatomy
from declaim.face.model import FaceModel
from declaim.motion.targets import blink_peaks, lid_dip
from declaim.registry import METHODS, resolve


@pytest.fixture(scope="module", params=["fd2talk", "sdm"])
def method(request):
    return resolve(METHODS, request.param, kind="method").from_pretrained()


@pytest.fixture(scope="module")
def anatomy():
    return Anatomy.of(FaceModel.from_pretrained())


def speech(method, frames, seed=0):
    """Features of no real speech, but varied like it."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(frames + 4, method.config.speech_dim, generator=generator)
    smooth = noise.unfold(0, 5, 1).mean(-1) * 5**0.5
    return method.normalizer.speech_mean + method.normalizer.speech_std * smooth


def test_lips_rest_in_pauses_while_head_and_lids_go_on(method, anatomy):
    active = torch.ones(750, dtype=torch.bool)
    active[250:500] = False
    motion = method.generate_from_features([speech(method, 750)], 750, active=active, seed=1)
    opening = motion["expression"] @ anatomy.mouth
    assert float(opening[256:494].std()) < 0.1 * float(opening[:250].std())
    assert abs(float(opening[256:494].mean())) < 0.15
    assert float(motion["rotation"][250:500].std(0).norm()) > 0.004
    assert 2 <= len(blink_peaks(lid_dip(motion["expression"], anatomy))) <= 30


def test_another_seed_is_another_head_motion_but_the_same_lips(method, anatomy):
    features = speech(method, 250)
    one, two = (method.generate_from_features([features], 250, seed=s) for s in (1, 2))
    differ = (one["rotation"] - two["rotation"]).norm(dim=1).mean()
    assert float(differ) > 0.02
    lips = [m["expression"] @ anatomy.mouth for m in (one, two)]
    assert float(torch.corrcoef(torch.stack(lips))[0, 1]) > 0.9


def test_heads_start_near_rest_and_do_not_drift(method):
    motion = method.generate_from_features([speech(method, 900)], 900, seed=3)
    angles = motion["rotation"].norm(dim=1)
    assert float(angles[0]) < 0.06
    assert float(angles.max()) < 0.4
    assert float(motion["translation"].norm(dim=1).max()) < 4.0
    late, early = motion["rotation"][450:].std(0).norm(), motion["rotation"][:450].std(0).norm()
    assert 0.4 < float(late / early) < 2.5


def test_windows_leave_no_kinks(method):
    motion = method.generate_from_features([speech(method, 600)], 600, seed=4, blink_scale=0.0)
    kink = motion["rotation"].diff(n=2, dim=0).norm(dim=1)
    new = method.config.new
    borders = torch.tensor([k * new + d for k in range(1, 600 // new) for d in (-2, -1)])
    assert float(kink[borders].mean()) < 2.0 * float(kink.mean())


def test_few_steps_keep_the_amplitude_of_many(method, anatomy):
    features = speech(method, 150)
    few, many = (method.generate_from_features([features], 150, seed=5, steps=s) for s in (None, 50))
    mouth = [float((m["expression"] @ anatomy.mouth).std()) for m in (few, many)]
    head = [float(m["rotation"].std(0).norm()) for m in (few, many)]
    assert mouth[0] / mouth[1] == pytest.approx(1.0, abs=0.05)
    assert head[0] / head[1] == pytest.approx(1.0, abs=0.3)
