import pytest
import torch

from declaim.errors import CheckpointError
from declaim.face.camera import Pose, project
from declaim.face.layouts import CHIN, LIPS, MIRROR, NOSE_TIP
from declaim.face.mirror import mirror_points
from declaim.face.model import FaceModel, pose_features
from declaim.face.rest import lip_opening


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_expressions_survive_the_round_trip(model):
    b, a = random(20, 64), random(40, seed=1)
    rest = model.points(torch.zeros(64), a)
    assert (model.fit_expression(model.points(b, a), rest) - b).abs().max() < 1e-3


def test_the_model_is_linear(model):
    b = random(2, 64)
    assert torch.allclose(model.offsets(b.sum(0)), model.offsets(b).sum(0), atol=1e-4)
    assert torch.equal(model.points(torch.zeros(64)), model.mean)


def test_identity_and_expression_of_a_portrait_are_told_apart(model):
    """A wide-open mouth of an unusual person: most of each goes where it belongs, and the pose is right."""
    a, b = random(40, seed=2), torch.zeros(64)
    b[0] = -3.0 if lip_opening(model.expression_basis)[0] < 0 else 3.0
    pose = Pose(torch.tensor([0.1, -0.2, 0.05]), torch.tensor([2.0, 1.0, -60.0]), torch.tensor(0.0))
    shape = model.points(b, a) + model.corrective(pose.rotation)
    fit = model.fit_portrait(project(shape, pose, (800, 600)), (800, 600))
    assert (fit.pose.rotation - pose.rotation).abs().max() < 0.03
    assert torch.corrcoef(torch.stack([fit.identity, a]))[0, 1] > 0.9
    assert fit.expression[0] == pytest.approx(float(b[0]), abs=0.5)
    assert lip_opening(fit.shape) - lip_opening(fit.rest) > 0.8 * lip_opening(model.offsets(b))
    assert (fit.rest + model.offsets(fit.expression) - fit.shape).abs().max() < 1e-4


def test_rest_face_is_plausible(model):
    assert 0 <= lip_opening(model.mean) < 0.05
    assert model.mean[NOSE_TIP, 2] > model.mean[LIPS, 2].mean()
    assert 13 < float(model.mean[:, 0].max() - model.mean[:, 0].min()) < 16  # cm
    assert (model.mean - mirror_points(model.mean)).abs().max() < 0.02


def test_the_jaw_moves_with_the_lips(model):
    """Opening the mouth takes the chin down, and not the brow."""
    gradient = lip_opening(model.expression_basis)
    motion = model.offsets(gradient / gradient.norm() * 2)
    assert lip_opening(motion) > 0.5
    assert motion[CHIN, 1] < -0.4
    assert motion[MIRROR.index(10), 1].abs() < 0.1


def test_no_error_is_assumed_for_a_frontal_head(model):
    assert pose_features(torch.zeros(3)).abs().max() == 0
    assert model.corrective(torch.zeros(3)).abs().max() == 0
    turned = model.corrective(torch.tensor([[0.0, 0.5, 0.0], [0.0, 3.0, 0.0]]))
    assert turned.abs().max() < 1.5  # cm, and it does not grow without end


def test_triangles_face_the_viewer(model):
    corners = model.mean[model.triangles]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normals[:, 2] > 0).float().mean() > 0.9
    assert model.triangles.max() == 467


def test_saved_folder_gives_the_same_model(model, tmp_path):
    model.save_pretrained(tmp_path / "model", "card", seed=3)
    again = FaceModel.from_pretrained(tmp_path / "model")
    assert torch.equal(again.expression_basis, model.expression_basis)
    assert torch.equal(again.triangles, model.triangles)
    assert (tmp_path / "model" / "README.md").read_text() == "card"
    assert (tmp_path / "model" / "model.safetensors").stat().st_size < 1_000_000


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json"):
        FaceModel.from_pretrained(tmp_path)
