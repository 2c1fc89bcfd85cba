from dataclasses import replace

import pytest
import torch
from players import Deaf, Ear, Player, speech

from declaim.errors import ConfigError
from declaim.face.anatomy import lip_directions
from declaim.face.layouts import FACE64
from declaim.face.model import FaceModel
from declaim.motion.mixed import MixedMethod, part_of, with_lips
from declaim.types import Motion


@pytest.fixture(scope="module")
def model():
    return FaceModel.from_pretrained()


def split(expression, basis):
    exact = torch.linalg.qr(basis.double()).Q
    along = expression.double() @ exact
    return along, expression.double() - along @ exact.T


def test_lips_are_the_ones_the_rest_the_others(model):
    basis = lip_directions(model)
    lips, rest = Player(1).generate(speech()), Player(2).generate(speech())
    mixed = with_lips(rest, lips, basis)
    along, across = split(mixed["expression"], basis)
    torch.testing.assert_close(along, split(lips["expression"], basis)[0], atol=1e-6, rtol=0)
    torch.testing.assert_close(across, split(rest["expression"], basis)[1], atol=1e-6, rtol=0)
    for part in ("rotation", "translation"):
        assert torch.equal(mixed[part], rest[part])


def test_own_lips_change_nothing(model):
    motion = Player().generate(speech())
    assert torch.equal(with_lips(motion, motion, lip_directions(model)).values, motion.values)


def test_lips_of_another_length_or_layout_are_refused(model):
    basis, motion = lip_directions(model), Player().generate(speech())
    with pytest.raises(ConfigError, match="the lips last 5 frames, the rest 10"):
        with_lips(motion, motion.frames(0, 5), basis)
    foreign = replace(motion, layout=replace(FACE64, name="flame"))
    with pytest.raises(ConfigError, match="the lips is over flame"):
        with_lips(motion, foreign, basis)
    stranger = Player()
    stranger.layout = foreign.layout
    with pytest.raises(ConfigError, match="methods are mixed over face64"):
        MixedMethod(Player(), stranger, model)


def test_both_methods_get_seed_and_options(model):
    lips, head = Player(1), Player(2)
    made = MixedMethod(lips, head, model).generate(speech(), seed=4, blink_scale=0.5)
    basis = lip_directions(model)
    expected = with_lips(
        head.generate(speech(), seed=4, blink_scale=0.5), lips.generate(speech(), seed=4, blink_scale=0.5), basis
    )
    assert torch.equal(made.values, expected.values)


def test_one_encoder_hears_once_two_hear_once_each(model):
    shared, said = Ear(), speech()
    mixed = MixedMethod(Player(1, shared), Player(2, shared), model)
    mixed.generate(said, seed=0)
    mixed.generate(said, seed=1)
    assert shared.heard == 1
    mixed.generate(speech(), seed=1)
    assert shared.heard == 2
    one, other = Ear("one"), Ear("other")
    MixedMethod(Player(1, one), Player(2, other), model).generate(said)
    assert (one.heard, other.heard) == (1, 1)


def test_a_method_without_features_can_be_mixed(model):
    made = MixedMethod(Player(1), Deaf(), model).generate(speech(), seed=3)
    assert bool((made["rotation"] == 3).all())


def test_progress_goes_over_both(model):
    seen = []
    MixedMethod(Player(1), Player(2), model).generate(speech(), on_step=lambda done, total: seen.append((done, total)))
    assert seen == [(10, 20), (20, 20)]
    assert part_of(None, 0, 2) is None


class Late:
    """A take in the making that gives every 640 samples a row of its own number, some frames late."""

    def __init__(self, late, key):
        self.late, self.key, self.samples, self.given = late, key, 0, 0

    def push(self, samples):
        self.samples += len(samples)
        return self._rows(max(self.samples // 640 - self.late, 0))

    def close(self):
        return self._rows(self.samples // 640)

    def _rows(self, stop):
        rows = torch.arange(self.given, stop)[:, None].expand(-1, FACE64.dim) + 1000.0 * self.key
        self.given = stop
        return Motion(rows.clone(), FACE64)


@pytest.mark.parametrize("late", [(0, 0), (3, 20), (20, 3)])
@pytest.mark.parametrize("chunk", [100, 640, 30_000])
def test_frames_of_both_meet_however_late_they_are(late, chunk, model):
    lips, head = Player(), Player()
    lips.open = lambda sample_rate: Late(late[0], 1)
    head.open = lambda sample_rate: Late(late[1], 2)
    parts = list(MixedMethod(lips, head, model).stream(torch.zeros(50 * 640).split(chunk)))
    values = torch.cat([part.values for part in parts])
    rows = torch.arange(50.0)[:, None].expand(-1, FACE64.dim)
    expected = with_lips(Motion(rows + 2000, FACE64), Motion(rows + 1000, FACE64), lip_directions(model))
    torch.testing.assert_close(values, expected.values, atol=1e-3, rtol=0)
    assert len(parts) > 1 or chunk == 30_000
