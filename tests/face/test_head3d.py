"""The head: its units do what their names say, it turns as a motion does, and the factor measures its vertices."""

from dataclasses import fields

import pytest
import torch

from declaim.errors import CheckpointError, ConfigError
from declaim.face.head3d import PARTS, Head3D
from declaim.face.layouts import ARKIT_NAMES
from declaim.face.model import FaceModel
from declaim.face.rotations import matrix_from_axis_angle
from declaim.pretrained import WEIGHTS_FILE, load_tensors, save_tensors


@pytest.fixture(scope="module")
def head():
    return Head3D.from_pretrained()


def unit(name, size=1.0):
    return size * torch.nn.functional.one_hot(torch.tensor(ARKIT_NAMES.index(name)), 52).float()


def of(head, part):
    return torch.nonzero(head.part == PARTS.index(part))[:, 0]


def test_at_rest_nothing_moves(head):
    assert torch.equal(head.vertices(torch.zeros(3, 52)), head.rest.expand(3, -1, -1))


def test_the_mouth_is_closed_at_rest_and_opens_with_the_jaw(head):
    def gap(arkit):
        shape = head.shape(arkit)
        return (shape[head.mouth_upper, 1] - shape[head.mouth_lower, 1]).mean()

    assert 0 <= gap(torch.zeros(52)) < 0.2
    assert 3 < gap(unit("jawOpen")) < 5
    assert gap(unit("jawOpen") + unit("mouthClose")) < 0.6  # ARKit: lips closed whatever the jaw does


def test_lower_teeth_go_with_the_jaw_and_upper_teeth_stay(head):
    moved = head.units[ARKIT_NAMES.index("jawOpen"), of(head, "teeth"), 1]
    lower = moved < -0.5
    assert lower.sum() == len(moved) / 2
    assert moved[~lower].abs().max() < 0.05


@pytest.mark.parametrize(("name", "axis", "sign"), [("eyeLookUpLeft", 1, 1), ("eyeLookDownLeft", 1, -1),
                                                    ("eyeLookOutLeft", 0, 1), ("eyeLookInLeft", 0, -1)])  # fmt: skip
def test_eyes_look_where_they_are_told(head, name, axis, sign):
    eyes = of(head, "eyes")
    left = eyes[head.rest[eyes, 0] > 0]  # the person's left is the viewer's right
    pupil = left[head.rest[left, 2].argmax()]
    moved = head.units[ARKIT_NAMES.index(name)]
    assert sign * moved[pupil, axis] > 0.2
    assert moved[eyes[head.rest[eyes, 0] < 0]].abs().max() == 0


def test_a_blink_brings_the_lid_over_the_eye(head):
    lids, eyes = head.region("upper_face"), of(head, "eyes")
    pupil = head.rest[eyes][head.rest[eyes, 2].argmax()].abs()
    near = lids[(head.rest[lids, 0] - pupil[0]).abs() < 0.4]
    closed = head.shape(unit("eyeBlinkLeft"))[near]
    assert ((closed[:, 1] - pupil[1]).abs() < 0.3).any()


def test_sides_mirror_each_other(head):
    for name in ARKIT_NAMES:
        if name.endswith("Left") and name + "Right" not in ("jawRight", "mouthRight"):
            left, right = (head.units[ARKIT_NAMES.index(n)] for n in (name, name.removesuffix("Left") + "Right"))
            assert left.norm() == pytest.approx(float(right.norm()), rel=0.05), name


def test_it_lies_on_the_mean_face(head):
    mean = FaceModel.from_pretrained().mean
    for point in (4, 13, 61, 152, 291):  # nose, lips, chin
        assert (head.rest - mean[point]).norm(dim=-1).min() < 1.1


def test_regions_lie_where_they_should(head):
    lips, upper = head.rest[head.region("lips")], head.rest[head.region("upper_face")]
    assert lips[:, 1].max() < upper[:, 1].min()
    assert upper[:, 1].mean() > 2
    assert {*head.region("lips").tolist()} <= {*head.region("face").tolist()}
    with pytest.raises(ConfigError, match="no region 'nose'; it has lips"):
        head.region("nose")


def test_the_head_turns_as_the_motion_says_and_the_base_of_the_neck_stays(head):
    rotation, translation = torch.tensor([0.1, -0.3, 0.2]), torch.tensor([1.0, -0.5, 2.0])
    posed = head.vertices(torch.zeros(52), rotation, translation)
    whole, still = head.turn > 0.999, head.turn == 0
    expected = head.rest @ matrix_from_axis_angle(rotation).T + translation
    assert (posed[whole] - expected[whole]).abs().max() < 0.01
    assert torch.equal(posed[still], head.rest[still])
    assert whole.sum() > 0.7 * len(head.rest)
    assert still.sum() > 50


@pytest.mark.parametrize("region", ["lips", "upper_face", "face", "all"])
def test_the_factor_gives_the_mean_squared_vertex_distance(head, region):
    a, b = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0))
    apart = torch.sub(*(head.shape(head.arkit_from_expression(e), head.region(region)) for e in (a, b)))
    factor = head.vertex_factor(region)
    torch.testing.assert_close(
        ((a - b) @ factor).square().sum(-1), apart.square().sum(-1).mean(-1), rtol=1e-3, atol=1e-5
    )
    assert factor.shape[1] <= 52


def test_a_saved_head_comes_back(head, tmp_path):
    head.save_pretrained(tmp_path / "head")
    again = Head3D.from_pretrained(tmp_path / "head")
    for field in fields(Head3D):
        assert torch.equal(getattr(again, field.name), getattr(head, field.name)), field.name


def test_another_folder_is_refused(head, tmp_path):
    head.save_pretrained(tmp_path / "head")
    tensors = load_tensors(tmp_path / "head" / WEIGHTS_FILE)
    del tensors["turn"]
    save_tensors(tmp_path / "head" / WEIGHTS_FILE, tensors)
    with pytest.raises(CheckpointError, match="is no head3d: expected rest, units"):
        Head3D.from_pretrained(tmp_path / "head")
