"""The rendered head: where it stands, what moves, and the same pictures whatever the runs."""

import numpy as np
import pytest
import torch

from declaim.errors import ConfigError
from declaim.face.layouts import ARKIT_NAMES, FACE64
from declaim.render.head import HeadRenderer, HeadRendererConfig
from declaim.render.head.shade import encoded
from declaim.types import Motion

SIZE = 128
BACKGROUND = np.array(HeadRendererConfig().background)


@pytest.fixture(scope="module")
def renderer():
    return HeadRenderer(HeadRendererConfig(size=SIZE))


def picture(renderer, rotation=(0.0, 0.0, 0.0), translation=(0.0, 0.0, 0.0), **arkit):
    scores = torch.zeros(1, 52)
    for name, value in arkit.items():
        scores[0, ARKIT_NAMES.index(name)] = value
    values = torch.zeros(1, FACE64.dim)
    values[0, 64:] = torch.tensor([*rotation, *translation])
    (frames,) = renderer.render(Motion(values, FACE64, arkit=scores))
    return frames.images[0].astype(int)


def box(mask):
    rows, columns = np.nonzero(mask)
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_the_head_stands_in_the_middle_and_mirrors_itself(renderer):
    seen = np.abs(picture(renderer) - BACKGROUND).sum(-1) > 12
    top, bottom, left, right = box(seen)
    assert abs((left + right) - (SIZE - 1)) <= 1
    per_cm = SIZE / 36
    assert right - left + 1 == pytest.approx(20.1 * per_cm, abs=2)  # the base of the neck is 20.1 cm wide
    assert bottom - top == pytest.approx((14.3 + 17.8) * per_cm, abs=2)
    assert (seen != seen[:, ::-1]).mean() < 0.01


@pytest.mark.parametrize(("name", "rows"), [("jawOpen", (0.55, 0.85)), ("browInnerUp", (0.2, 0.45)),
                                            ("eyeBlinkLeft", (0.3, 0.5)), ("eyeLookOutLeft", (0.3, 0.5))])  # fmt: skip
def test_a_coefficient_changes_its_part_of_the_face(renderer, name, rows):
    changed = np.abs(picture(renderer, **{name: 1.0}) - picture(renderer)).sum(-1) > 30
    top, bottom, *_ = box(changed)
    assert changed.sum() > 5
    assert rows[0] * SIZE - 12 < top < bottom < rows[1] * SIZE + 12


def test_an_open_mouth_is_dark_and_a_closed_eye_has_no_white(renderer):
    mouth = (slice(84, 92), slice(60, 68))
    assert picture(renderer, jawOpen=0.6)[mouth].min() < 60 < picture(renderer)[mouth].min() + 40
    eye = (slice(46, 52), slice(70, 82))
    assert picture(renderer)[eye].min(-1).max() > 150 > picture(renderer, eyeBlinkLeft=1.0)[eye].min(-1).max()


def test_the_head_moves_and_its_neck_stays(renderer):
    still, moved = (
        np.abs(picture(renderer, translation=t) - BACKGROUND).sum(-1) > 12 for t in ((0, 0, 0), (2.0, 0, 0))
    )
    shift = round(2 * SIZE / 36)
    top = box(still)[0]
    assert abs(box(moved[: top + 20])[2] - box(still[: top + 20])[2] - shift) <= 1
    assert box(moved[-16:]) == box(still[-16:])


@pytest.mark.parametrize("seed", range(6))
def test_the_runs_do_not_matter(renderer, seed):
    motion = Motion(
        torch.randn(5, FACE64.dim, generator=torch.Generator().manual_seed(0)),
        FACE64,
        arkit=torch.rand(5, 52, generator=torch.Generator().manual_seed(seed)),
    )
    whole = np.concatenate([f.images for f in renderer.render(motion)])
    runs = list(HeadRenderer(HeadRendererConfig(size=SIZE, frames_per_run=2)).render(motion))
    assert [len(f) for f in runs] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([f.images for f in runs]), whole)


def test_encoding_undoes_linear_light():
    grey = np.linspace(0, 1, 256).reshape(16, 16, 1).repeat(3, -1)
    light = np.where(grey <= 0.04045, grey / 12.92, ((grey + 0.055) / 1.055) ** 2.4)
    assert np.abs(encoded(light).astype(int) - np.arange(256).reshape(16, 16, 1)).max() <= 1


def test_motions_that_cannot_be_shown_are_refused(renderer):
    with pytest.raises(ConfigError, match="no frames"):
        list(renderer.render(Motion(torch.zeros(0, FACE64.dim), FACE64)))
    with pytest.raises(ConfigError, match="not a batch"):
        list(renderer.render(Motion(torch.zeros(2, 3, FACE64.dim), FACE64)))
