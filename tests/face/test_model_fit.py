"""The fit, on people made up from the shipped model: what went in has to come out."""

import pytest
import torch

from declaim.face.camera import Pose, project
from declaim.face.canonical import canonical_face
from declaim.face.clip import ClipTrack
from declaim.face.layouts import FACE64, TRACKER_SCORES
from declaim.face.mirror import mirror_points
from declaim.face.model_fit import expression_weights, fit_face_model, principal_axes
from declaim.face.rest import lip_opening
from declaim.recipes.face_model_figures import figures

SIZE = (640, 480)
RANK = 5
"""Expression components that the made-up people use."""


def person(model, k, n=110):
    generator = torch.Generator().manual_seed(k)
    identity = torch.randn(40, generator=generator)
    expression = torch.zeros(n, 64)
    opening = lip_opening(model.expression_basis[:RANK])
    talk = torch.randn(n - 30, RANK, generator=generator)
    talk -= (talk @ opening - (talk @ opening).abs())[:, None] * opening / opening.square().sum()  # lips never overlap
    expression[30:, :RANK] = talk
    rotation = torch.zeros(n, 3)
    rotation[30:] = 0.15 * torch.sin(torch.arange(n - 30)[:, None] / torch.tensor([5.0 + k, 9.0 + k, 21.0]))
    translation = torch.tensor([0.0, 1.0, -45.0]).expand(n, 3)
    shapes = model.points(expression, identity) + model.corrective(rotation)
    scores = torch.zeros(n, len(TRACKER_SCORES))
    scores[30:, TRACKER_SCORES.index("jawOpen")] = 0.5
    points = project(shapes, Pose(rotation, translation, torch.zeros(n)), SIZE)
    return ClipTrack(points, scores, SIZE, f"person {k}")


@pytest.fixture(scope="module")
def people(model):
    return [person(model, k) for k in range(7)]


@pytest.fixture(scope="module")
def refitted(people, task):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine the threads of the matrix decompositions wait for each other
    yield fit_face_model(people[:5], *canonical_face(task))
    torch.set_num_threads(threads)


def test_the_space_of_expressions_is_found_again(model, refitted):
    """What the made-up people did lies in the new basis, on both sides of the face."""
    moved = model.expression_basis[:RANK]
    for truth in (moved, mirror_points(moved)):
        rebuilt = refitted.offsets(refitted.fit_expression(truth, torch.zeros_like(refitted.mean)))
        assert (rebuilt - truth).square().sum() < 0.03 * truth.square().sum()


def test_components_have_unit_variance_and_order(people, refitted):
    assert refitted.expression_basis.shape == (FACE64.part("expression").size, 478, 3)
    strength = (refitted.expression_basis * refitted.fit_weights).flatten(1).norm(dim=1)
    assert strength[0] > strength[RANK] > strength[40]
    assert (refitted.mean - mirror_points(refitted.mean)).abs().max() < 0.05
    assert 0 < lip_opening(refitted.mean) < 0.05


def test_figures_of_a_perfect_world(people, refitted):
    """Other made-up people of the same kind are explained almost entirely."""
    measured = figures(refitted, people[5:])
    assert measured["explained_lips"] > 0.98
    assert measured["explained_all"] > 0.97
    assert measured["arkit_r2_own_view"] <= 1
    assert measured["turning_clips"] == 2
    assert measured["rotation_share_after"] < measured["rotation_share_before"] + 0.05
    assert measured["between_people_own_rest"] < measured["between_people_mean_face"]


def test_principal_axes_equal_the_svd():
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(400, 12, generator=generator) * torch.linspace(3, 0.1, 12)
    samples -= samples.mean(0)
    axes = principal_axes(samples, torch.ones(400), torch.ones(12), 4)
    _, sigma, vt = torch.linalg.svd(samples, full_matrices=False)
    for k in range(4):
        assert axes[k].norm() == pytest.approx(float(sigma[k]) / 20, rel=1e-4)
        assert abs(float(torch.nn.functional.normalize(axes[k], dim=0) @ vt[k])) == pytest.approx(1, abs=1e-4)


def test_axes_are_in_the_samples_own_units_whatever_the_weights():
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(12, generator=generator)
    samples = torch.randn(300, 1, generator=generator) * direction
    axes = principal_axes(samples, torch.ones(300), torch.rand(12, generator=generator) + 0.5, 1)
    assert torch.allclose(axes[0].abs() / axes[0].norm(), direction.abs() / direction.norm(), atol=1e-4)


def test_lips_weigh_most():
    weights = expression_weights()
    assert weights[13, 1] == 3
    assert weights[10, 1] == 1
    assert (weights[:, 2] < weights[:, 1]).all()
