import numpy as np
import pytest
import torch

from declaim.face.arkit import ArkitNet, arkit_from_motion, arkit_scores, from_neutral, shape_scores, with_arkit
from declaim.face.layouts import (
    ARKIT_NAMES,
    BLENDSHAPE_POINTS,
    FACE64,
    LEFT_EYE_LOWER,
    LEFT_EYE_UPPER,
    RIGHT_EYE_LOWER,
    RIGHT_EYE_UPPER,
)
from declaim.face.rest import lip_opening
from declaim.face.track import arkit_order
from declaim.media import read_frames
from declaim.recipes.arkit_net import blendshape_network, extract
from declaim.types import Motion

LEFT_LIDS, RIGHT_LIDS = (LEFT_EYE_UPPER, LEFT_EYE_LOWER), (RIGHT_EYE_UPPER, RIGHT_EYE_LOWER)


def eye_opening(shape, upper, lower):
    return (shape[..., list(upper[1:-1]), 1] - shape[..., list(lower[1:-1]), 1]).mean(-1)


def test_the_network_equals_the_original(task):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    network = blendshape_network(task)
    original = interpreter.Interpreter(
        model_content=network,
        experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    original.allocate_tensors()
    (given,), (out,) = original.get_input_details(), original.get_output_details()
    points = 500 * torch.rand(20, 478, 2, generator=torch.Generator().manual_seed(0))
    ours = ArkitNet.from_pretrained()(points)
    for k in range(len(points)):
        original.set_tensor(given["index"], points[k : k + 1, list(BLENDSHAPE_POINTS)].numpy())
        original.invoke()
        assert np.abs(original.get_tensor(out["index"]) - ours[k].numpy()).max() < 2e-5


def test_the_shipped_weights_are_the_originals(task):
    pytest.importorskip("ai_edge_litert")
    shipped = ArkitNet.from_pretrained().state_dict()
    for name, tensor in extract(blendshape_network(task)).items():
        assert torch.equal(shipped[name], tensor), name


def test_scores_equal_the_trackers_own(tracker, astronaut):
    found = tracker.portrait_face(astronaut)
    assert (arkit_scores(found.points) - arkit_order(found.scores)).abs().max() < 1e-4


def test_scores_equal_the_trackers_own_on_footage(tracker, footage):
    clip = sorted((footage / "clips" / "grid-s30").glob("*.mkv"))[0]
    track = tracker.track(read_frames(clip))
    assert (arkit_scores(track.points) - track.arkit).abs().max() < 2e-4


def test_place_and_scale_do_not_matter(model):
    points = model.mean * torch.tensor([1.0, -1.0, 1.0])
    assert (arkit_scores(points) - arkit_scores(7 * points + 300)).abs().max() < 1e-4


def test_rest_gives_zeros(model):
    motion = Motion(torch.zeros(3, 70), FACE64)
    assert arkit_from_motion(motion, model).abs().max() < 1e-6


def test_jaw_and_lids_move_their_own_coefficients(model):
    def coefficients(b):
        return arkit_from_motion(Motion(torch.cat([b, torch.zeros(6)])[None], FACE64), model)[0]

    opening = lip_opening(model.expression_basis)
    opened = coefficients(3 * opening / opening.norm())
    assert opened[ARKIT_NAMES.index("jawOpen")] > 0.2
    assert opened[ARKIT_NAMES.index("eyeBlinkLeft")] < 0.1
    lids = torch.stack([eye_opening(model.expression_basis, *eye) for eye in (LEFT_LIDS, RIGHT_LIDS)])
    shut = torch.stack([-0.9 * eye_opening(model.mean, *LEFT_LIDS), torch.tensor(0.0)])
    closed = coefficients(lids.T @ torch.linalg.solve(lids @ lids.T, shut))  # the person's left eye alone shuts
    assert closed[ARKIT_NAMES.index("eyeBlinkLeft")] > 0.5
    assert closed[ARKIT_NAMES.index("eyeBlinkLeft")] > closed[ARKIT_NAMES.index("eyeBlinkRight")] + 0.1
    assert closed[ARKIT_NAMES.index("jawOpen")] < 0.1


def test_own_rest_gives_the_persons_scores(model):
    rest = model.points(torch.zeros(64), torch.randn(40, generator=torch.Generator().manual_seed(0)))
    motion = Motion(torch.zeros(2, 70), FACE64)
    assert torch.allclose(arkit_from_motion(motion, model, rest)[1], shape_scores(rest), atol=1e-5)
    view = torch.tensor([0.2, 0.0, 0.0])
    assert (arkit_from_motion(motion, model, rest, view)[1] - shape_scores(rest)).abs().max() > 0.01


def test_batches_of_any_shape(model):
    values = torch.randn(2, 3, 70, generator=torch.Generator().manual_seed(1))
    scores = with_arkit(Motion(values, FACE64), model).arkit
    assert scores.shape == (2, 3, 52)
    single = arkit_from_motion(Motion(values[1], FACE64), model)
    assert torch.allclose(scores[1], single, atol=1e-5)
    assert arkit_scores(torch.zeros(0, 478, 3)).shape == (0, 52)


def test_offsets_are_taken_out():
    neutral = torch.full((52,), 0.2)
    assert from_neutral(neutral, neutral).abs().max() == 0
    assert from_neutral(torch.ones(52), neutral).min() == 1
    assert from_neutral(torch.zeros(52), neutral).min() == 0


def test_gradients_flow(model):
    b = torch.zeros(1, 64, requires_grad=True)
    shape_scores(model.points(b))[0, ARKIT_NAMES.index("jawOpen")].backward()
    assert b.grad is not None
    assert b.grad.abs().max() > 0
