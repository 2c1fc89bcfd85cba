from fractions import Fraction

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from declaim.errors import ConfigError
from declaim.face.layouts import (
    ARKIT_NAMES,
    FACE64,
    LEFT_EYE,
    LIPS,
    LIPS_INNER,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER,
    N_POINTS,
    RIGHT_EYE,
)
from declaim.types import Frames, Motion, MotionLayout, Part, Speech, seeded_generator


def motion(frames: int = 50) -> Motion:
    return Motion(torch.randn(frames, FACE64.dim), FACE64, valid=torch.ones(frames, dtype=torch.bool))


def test_parts_cover_the_layout_without_overlap() -> None:
    columns = [c for part in FACE64.parts for c in range(part.start, part.start + part.size)]
    assert columns == list(range(FACE64.dim)) == list(range(70))


def test_parts_by_name() -> None:
    m = motion()
    assert m["expression"].shape == (50, 64)
    assert torch.equal(torch.cat([m["expression"], m["rotation"], m["translation"]], 1), m.values)


def test_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="expression, rotation, translation"):
        motion()["jaw"]


def test_replace_leaves_the_original_alone() -> None:
    m = motion()
    before = m.values.clone()
    still = m.replace(rotation=torch.zeros(50, 3))
    assert torch.equal(m.values, before)
    assert still["rotation"].abs().max() == 0
    assert torch.equal(still["expression"], m["expression"])


def test_between_cuts_at_frames() -> None:
    m = motion()
    part = m.between(0.4, 1.0)
    assert torch.equal(part.values, m.values[10:25])
    assert part.valid is not None and len(part.valid) == 15


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeCheckError):
        Speech(torch.zeros(2, 100), 16_000)
    with pytest.raises(TypeCheckError):
        Frames(np.zeros((2, 4, 4, 3), np.float32))
    with pytest.raises(ConfigError, match="69 columns"):
        Motion(torch.zeros(5, 69), FACE64)


def test_speech_length_in_frames() -> None:
    assert Speech(torch.zeros(16_001), 16_000).n_frames == 26
    assert Speech(torch.zeros(48_000), 48_000).between(0.25, 0.5).duration_s == 0.25


def test_other_layouts_are_possible() -> None:
    layout = MotionLayout("jaw", (Part("jaw", 0, 1, "rad"),))
    assert Motion(torch.zeros(4, 3, 1), layout, Fraction(30))["jaw"].shape == (4, 3, 1)


def test_seeded_streams_depend_on_seed_and_key_alone() -> None:
    def draw(*key: int) -> torch.Tensor:
        return torch.randn(4, generator=seeded_generator(*key))

    assert torch.equal(draw(1, 2, 3), draw(1, 2, 3))
    assert len({tuple(draw(*k).tolist()) for k in [(0,), (1,), (0, 0), (0, 1), (0, 0, 1), (0, 1, 0)]}) == 6


def test_landmark_groups_are_consistent() -> None:
    assert len(set(ARKIT_NAMES)) == 52
    for group in (LIPS, LIPS_INNER, LIPS_OUTER, LEFT_EYE, RIGHT_EYE):
        assert len(set(group)) == len(group)
        assert max(group) < N_POINTS
    assert set(LIPS_INNER) == set(LIPS_INNER_UPPER) | set(LIPS_INNER_LOWER)
    assert set(LIPS_INNER) | set(LIPS_OUTER) <= set(LIPS)
    assert len(LIPS) == 80
