"""FLAME in and out: poses exactly, eyes and jaw by rule, expressions through a stand-in of the model's own layout."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from declaim.errors import CheckpointError, ConfigError
from declaim.export.flame import JAW_TURN_RAD, Flame, flame_from_motion, motion_from_flame, read_flame, write_flame
from declaim.export.flame_map import FlameMap
from declaim.face.head3d import Head3D
from declaim.face.layouts import ARKIT_NAMES, FACE64
from declaim.face.model import FaceModel
from declaim.face.rotations import matrix_from_axis_angle
from declaim.types import Motion

EXPRESSIONS = 12


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def face():
    return FaceModel.from_pretrained()


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory, face):
    """A model of FLAME's layout: the mean face's points turned, scaled and moved; its expressions are mixtures of b."""
    g = rng(1)
    points = torch.arange(0, 468, 4)
    turn = matrix_from_axis_angle(torch.tensor([0.2, -0.1, 0.05]))
    to_metres = lambda cm: cm @ turn * 0.0095  # noqa: E731
    mix = torch.randn(EXPRESSIONS, 64, generator=g) / 8
    arrays = {
        "v_template": to_metres(face.mean) + torch.tensor([0.01, 0.02, -0.03]),
        "expression": to_metres(torch.einsum("ne,epc->npc", mix, face.expression_basis)).movedim(0, -1),
        "joints": torch.tensor([[0, -0.1, -0.02], [0, -0.05, -0.02], [0, 0.0, 0.0], [0.03, 0, 0.06], [-0.03, 0, 0.06]]),
        "weights": torch.softmax(torch.randn(478, 5, generator=g), 1),
        "faces": torch.arange(477)[:, None] + torch.tensor([0, 1, 0]),
        "lmk_face_idx": points, "lmk_b_coords": torch.tensor([1.0, 0, 0]).expand(len(points), 3),
        "landmark_indices": points,
    }  # fmt: skip
    path = tmp_path_factory.mktemp("flame") / "flame.npz"
    np.savez(path, **{name: values.numpy() for name, values in arrays.items()})
    return path, arrays, mix


def moving(frames=6, seed=0):
    values = torch.randn(frames, FACE64.dim, generator=rng(seed)) * 0.3
    return Motion(values, FACE64, arkit=torch.rand(frames, 52, generator=rng(seed)))


def posed(arrays, flame, shapes):
    """Where FLAME's own skinning puts rigid points of the head (all weight on the neck)."""
    root, neck = arrays["joints"][:2]
    turn, bend = matrix_from_axis_angle(flame.rotation), matrix_from_axis_angle(flame.neck_pose)
    bent = (shapes - neck) @ bend.mT + neck
    return (bent - root) @ turn.mT + root + flame.translation[:, None]


def test_without_a_model_poses_jaw_eyes_and_lids_come_back(tmp_path):
    motion = moving()
    eyes = [i for i, n in enumerate(ARKIT_NAMES) if n.startswith(("eyeLook", "eyeBlink"))]
    for side in ("Left", "Right"):  # no eye looks up and down at once
        motion.arkit[:, [ARKIT_NAMES.index(f"eyeLook{way}{side}") for way in ("Up", "In")]] = 0
    write_flame(tmp_path / "a.npz", flame_from_motion(motion))
    back = motion_from_flame(read_flame(tmp_path / "a.npz"))
    torch.testing.assert_close(back["rotation"], motion["rotation"], atol=1e-5, rtol=0)
    torch.testing.assert_close(back["translation"], motion["translation"], atol=1e-5, rtol=0)
    chosen = [*eyes, ARKIT_NAMES.index("jawOpen")]
    scores = back["expression"] @ Head3D.from_pretrained().arkit_slopes[:, chosen]
    torch.testing.assert_close(scores, motion.arkit[:, chosen], atol=2e-3, rtol=0)


def test_signs_and_sizes_are_flames():
    motion = Motion(torch.zeros(1, FACE64.dim), FACE64, Fraction(30), arkit=torch.zeros(1, 52))
    for name in ("jawOpen", "eyeLookOutLeft", "eyeLookInRight", "eyeLookDownRight", "eyeBlinkRight"):
        motion.arkit[0, ARKIT_NAMES.index(name)] = 1.0
    motion.values[0, 67:] = torch.tensor([1.0, 2.0, 3.0])
    flame = flame_from_motion(motion)
    jaw = matrix_from_axis_angle(flame.jaw_pose[0]) @ torch.tensor([0.0, 0.0, 1.0])
    assert jaw[1] == pytest.approx(-np.sin(JAW_TURN_RAD), abs=1e-6)  # a chin in front goes down
    looks = [matrix_from_axis_angle(eye) @ torch.tensor([0.0, 0.0, 1.0]) for eye in flame.eyes_pose[0].split(3)]
    assert looks[0][0] > 0.4 and looks[0][1] == 0  # the person's left is the viewer's right
    assert looks[1][0] > 0.4 and looks[1][1] < -0.4
    assert flame.eyelids.tolist() == [[0, 1]]
    torch.testing.assert_close(flame.translation, torch.tensor([[0.01, 0.02, 0.03]]))
    assert (flame.fps, flame.expr.shape) == (30, (1, 0))


def test_the_jaws_turn_is_that_of_the_heads_lower_teeth():
    head = Head3D.from_pretrained()
    opened = head.units[ARKIT_NAMES.index("jawOpen")]
    lower = (head.part == 4) & (opened[:, 1] < -0.5)
    before, after = (shape - shape.mean(0) for shape in (head.rest[lower], (head.rest + opened)[lower]))
    u, _, vt = torch.linalg.svd(after.T @ before)
    turn = u @ vt
    assert float(torch.atan2(turn[2, 1], turn[1, 1])) == pytest.approx(JAW_TURN_RAD, abs=0.01)


def test_a_holders_head_stands_where_ours_does(stand_in, face):
    path, arrays, _ = stand_in
    fitted, motion = FlameMap.fit(path, face), moving()
    place = fitted.place
    shape = arrays["v_template"]
    ours = place.scale * shape @ place.turn.T + place.offset
    torch.testing.assert_close(ours, face.mean, atol=1e-3, rtol=0)
    expected = ours @ matrix_from_axis_angle(motion["rotation"]).mT + motion["translation"][:, None]
    theirs = posed(arrays, flame_from_motion(motion, fitted), shape.expand(6, -1, -1))
    torch.testing.assert_close(place.scale * theirs, expected, atol=2e-3, rtol=0)


def test_poses_come_back_through_a_turned_neck_too(stand_in, face):
    path, arrays, _ = stand_in
    fitted, shape = FlameMap.fit(path, face), stand_in[1]["v_template"]
    poses = [0.3 * torch.randn(4, 3, generator=rng(s)) for s in range(3)]
    flame = Flame(
        torch.zeros(4, 0), poses[0], poses[1], torch.zeros(4, 3), torch.zeros(4, 6), torch.zeros(4, 2), poses[2]
    )
    motion = motion_from_flame(flame, fitted)
    ours = fitted.place.scale * shape @ fitted.place.turn.T + fitted.place.offset
    moved = ours @ matrix_from_axis_angle(motion["rotation"]).mT + motion["translation"][:, None]
    theirs = fitted.place.scale * posed(arrays, flame, shape.expand(4, -1, -1))
    torch.testing.assert_close(moved, theirs, atol=3e-3, rtol=0)


def test_expressions_that_the_holders_model_knows_come_back(stand_in, face, tmp_path):
    path, _, mix = stand_in
    fitted = FlameMap.fit(path, face, noise_cm=1e-4)
    expr = torch.randn(5, EXPRESSIONS, generator=rng(3))
    motion = Motion(torch.cat([expr @ mix, torch.zeros(5, 6)], 1), FACE64, arkit=torch.zeros(5, 52))
    flame = flame_from_motion(motion, fitted)
    torch.testing.assert_close(flame.expr, expr, atol=0.02, rtol=0)
    assert flame.jaw_pose.abs().max() < 1e-3
    write_flame(tmp_path / "a.npz", flame)
    back = motion_from_flame(read_flame(tmp_path / "a.npz"), fitted)
    moved = face.offsets(back["expression"]) - face.offsets(motion["expression"])
    assert moved.norm(dim=-1).mean() < 0.01  # cm
    few = fitted.expression(expr[:, :3], torch.zeros(5, 3))
    torch.testing.assert_close(few, fitted.expression(torch.nn.functional.pad(expr[:, :3], (0, 9)), torch.zeros(5, 3)))


def test_a_jaw_turns_the_points_that_hang_on_it(stand_in, face):
    path, arrays, _ = stand_in
    fitted, turn = FlameMap.fit(path, face, noise_cm=1e-3), torch.tensor([[0.02, 0.0, 0.0]])
    points = arrays["landmark_indices"]
    moved = face.offsets(fitted.expression(torch.zeros(1, 0), turn))[0, points]
    about = arrays["v_template"][points] - arrays["joints"][2]
    their = arrays["weights"][points, 2, None] * torch.linalg.cross(turn.expand_as(about), about)
    wanted = fitted.place.scale * their @ fitted.place.turn.T
    assert torch.nn.functional.cosine_similarity(moved.flatten(), wanted.flatten(), dim=0) > 0.5


@pytest.mark.parametrize("names", [{"exp": 50, "pose": 6}, {"expression_params": 50, "pose_params": 3, "jaw_params": 3,
                                                            "eyelid_params": 2}])  # fmt: skip
def test_other_programs_names_are_understood(tmp_path, names):
    arrays = {name: torch.rand(4, columns, generator=rng()).numpy() for name, columns in names.items()}
    np.savez(tmp_path / "a.npz", **arrays)
    flame = read_flame(tmp_path / "a.npz")
    assert flame.expr.shape == (4, 50)
    jaw = arrays["pose"][:, 3:] if "pose" in arrays else arrays["jaw_params"]
    np.testing.assert_array_equal(flame.jaw_pose, jaw)
    assert flame.neck_pose.abs().sum() == 0


def test_bad_files_are_named(tmp_path, stand_in, face):
    np.savez(tmp_path / "a.npz", expr=np.zeros((3, 10)), jaw_pose=np.zeros((4, 3)))
    with pytest.raises(CheckpointError, match=r"do not fit together: {'jaw_pose': \(4, 3\)}"):
        read_flame(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", expr=np.array([{}], dtype=object))
    with pytest.raises(CheckpointError, match="holds no FLAME coefficients"):
        read_flame(tmp_path / "b.npz")
    with pytest.raises(CheckpointError, match="is a pickle, which declaim never opens"):
        FlameMap.fit(tmp_path / "generic_model.pkl", face)
    with pytest.raises(CheckpointError, match="does not hold v_template"):
        FlameMap.fit(tmp_path / "a.npz", face)


def test_expressions_without_their_model_are_refused(stand_in, face):
    six, three, two = (torch.zeros(2, n) for n in (6, 3, 2))
    flame = Flame(torch.ones(2, 50), three, three, three, six, two, three)
    with pytest.raises(ConfigError, match="50 expression coefficients, which mean nothing without the model"):
        motion_from_flame(flame)
    with pytest.raises(CheckpointError, match="50 expression coefficients, but the FLAME model given has 12"):
        motion_from_flame(flame, FlameMap.fit(stand_in[0], face))
