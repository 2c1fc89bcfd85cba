import pytest
import torch

from declaim.face.layouts import N_EXPRESSION
from declaim.methods.a2v_prior import AudioToVisualPrior, autoregressive, default, tiny
from declaim.methods.a2v_prior.network import Continuation, LipSpace, PriorTransformer
from declaim.methods.a2v_prior.objective import autoregressive_prior_loss, orthogonality_loss, whiteness_loss

FRAMES = tiny().frames


def causal(config):
    return config.model_copy(update={"prior": config.prior.model_copy(update={"kind": "autoregressive"})})


@pytest.fixture(params=["diffusion", "autoregressive"])
def method(request):
    torch.manual_seed(1)
    return AudioToVisualPrior(causal(tiny()) if request.param == "autoregressive" else tiny()).eval()


def features(frames, seed=0):
    return torch.randn(frames, tiny().speech_dim, generator=torch.Generator().manual_seed(seed))


def batch(rows=3):
    generator = torch.Generator().manual_seed(2)
    motion = torch.randn(rows, FRAMES, 70, generator=generator)
    return torch.randn(rows, FRAMES, 772, generator=generator), motion, torch.ones(rows, FRAMES, dtype=torch.bool)


def test_lips_are_the_same_in_every_take_and_the_rest_is_not(method):
    basis = method.normalizer.lip_basis
    takes = [method.generate_from_features([features(60)], 60, seed=s, blink_scale=0.0).values for s in (0, 1)]
    lips = [take[:, :N_EXPRESSION] @ basis for take in takes]
    torch.testing.assert_close(lips[0], lips[1], atol=1e-5, rtol=1e-5)
    assert float(lips[0].std()) > 0.01
    for columns in (slice(0, 64), slice(64, 70)):
        assert not torch.allclose(takes[0][:, columns], takes[1][:, columns], atol=1e-2)


def test_lips_follow_the_speech(method):
    basis = method.normalizer.lip_basis
    one, other = (method.generate_from_features([features(30, s)], 30, seed=4)["expression"] @ basis for s in (0, 1))
    assert not torch.allclose(one, other, atol=1e-2)


def test_the_rest_has_nothing_along_the_lips():
    method = AudioToVisualPrior(tiny()).eval()
    torch.nn.init.zeros_(method.lips.speak[-1].weight)
    torch.nn.init.zeros_(method.lips.speak[-1].bias)
    motion = method.generate_from_features([features(40)], 40, blink_scale=0.0)
    assert float((motion["expression"] @ method.normalizer.lip_basis).abs().max()) < 1e-4
    assert float(motion["expression"].std()) > 0.01


def test_autoregressive_frames_depend_on_no_later_frame():
    torch.manual_seed(0)
    config = causal(tiny())
    prior = PriorTransformer(10, 772, 20, config.prior).eval()
    motion, heard = torch.randn(1, FRAMES, 10), prior.listen(torch.randn(1, FRAMES, 772))
    step, given = prior.embed(torch.zeros(1, dtype=torch.int64)), torch.ones(1, FRAMES, dtype=torch.bool)
    changed = motion.clone()
    changed[:, 12:] += 1.0
    before, after = prior(motion, step, heard, given), prior(changed, step, heard, given)
    torch.testing.assert_close(before[:, :12], after[:, :12], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(before[:, 12:], after[:, 12:], atol=1e-3)


def test_frame_by_frame_gives_what_the_whole_sequence_gives():
    torch.manual_seed(0)
    prior = PriorTransformer(10, 772, 20, causal(default()).prior).eval()
    motion, heard = torch.randn(2, 9, 10), prior.listen(torch.randn(2, 9, 772))
    earlier = torch.cat([torch.zeros(2, 1, 10), motion[:, :-1]], 1)
    step, given = prior.embed(torch.zeros(2, dtype=torch.int64)), torch.ones(2, 9, dtype=torch.bool)
    going_on = Continuation(prior, heard)
    one_by_one = torch.stack([going_on.next(earlier[:, i]) for i in range(9)], 1)
    torch.testing.assert_close(one_by_one, prior(earlier, step, heard, given), atol=1e-5, rtol=1e-4)


def test_frames_that_are_asked_for_alone_are_what_they_are_in_the_sequence():
    torch.manual_seed(0)
    prior = PriorTransformer(10, 772, 20, tiny().prior.model_copy(update={"layers": 2}))
    heard, step = prior.listen(torch.randn(2, 9, 772)), prior.embed(torch.tensor([3, 17]))
    given = (torch.randn(2, 9, 10), step, heard, torch.arange(9).expand(2, -1) < 4)
    whole = prior.train()(*given)  # torch's own layers; without dropout, training changes nothing
    for since in (0, 4):
        torch.testing.assert_close(prior.eval()(*given, since), whole[:, since:], atol=1e-5, rtol=1e-5)


def test_both_priors_have_one_size():
    sizes = [sum(p.numel() for p in AudioToVisualPrior(c).prior.parameters()) for c in (default(), autoregressive())]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def test_orthogonality_is_one_for_a_copy_and_none_for_strangers():
    speech = torch.randn(4, 500, 1)
    mask = torch.ones(4, 500, dtype=torch.bool)
    assert float(orthogonality_loss(3.0 * speech + 2.0, speech, mask)) == pytest.approx(1.0, abs=1e-3)
    assert float(orthogonality_loss(torch.randn(4, 500, 1), speech, mask)) < 0.01
    mask[2:] = False
    spoiled = speech.clone()
    spoiled[2:] = 100.0
    assert float(orthogonality_loss(spoiled, speech, mask)) == pytest.approx(1.0, abs=1e-3)


def test_white_embeddings_have_no_whiteness_loss():
    torch.manual_seed(0)
    values, mask = torch.randn(8, 2000, 3), torch.ones(8, 2000, dtype=torch.bool)
    assert float(whiteness_loss(values, mask)) < 1e-3
    assert float(whiteness_loss(2.0 * values, mask)) == pytest.approx(9.0 * 3 / 9, rel=0.05)
    assert float(whiteness_loss(values[..., :1].expand(-1, -1, 3), mask)) == pytest.approx(6 / 9, rel=0.05)


def test_likelihood_is_best_at_the_true_mean_and_variance():
    values = 2.0 + 3.0 * torch.randn(4, 2000, 1)
    mask = torch.ones(4, 2000, dtype=torch.bool)

    def loss(mean, sd):
        spread = torch.full_like(values, sd).log() * 2.0
        return float(autoregressive_prior_loss(values, torch.full_like(values, mean), spread, mask))

    best = loss(2.0, 3.0)
    assert best == pytest.approx(0.5 + float(torch.tensor(3.0).log()), abs=0.05)
    assert all(loss(*other) > best for other in ((1.0, 3.0), (2.0, 2.0), (2.0, 4.5)))


def test_still_heads_do_not_teach_the_pose(method):
    speech, motion, mask = batch()
    losses = method.loss(speech, motion, mask, torch.zeros_like(mask), torch.arange(3))
    (losses["rest"] + losses["prior"]).backward()
    assert not bool(method.rest.decoders[1].straight.weight.grad.any())
    assert bool(method.rest.decoders[0].straight.weight.grad.any())


def test_the_prior_does_not_bend_the_space_it_learns(method):
    speech, motion, mask = batch()
    method.loss(speech, motion, mask, seeds=torch.arange(3))["prior"].backward()
    assert all(p.grad is None or not bool(p.grad.any()) for p in method.rest.parameters())
    assert any(bool(p.grad.any()) for p in method.prior.parameters() if p.grad is not None)


def test_speech_and_its_lips_meet_after_learning():
    torch.manual_seed(0)
    method = AudioToVisualPrior(tiny())
    time = torch.arange(float(FRAMES))[None, :, None]
    motion = torch.sin(time / 3 + torch.arange(70.0)) * torch.tensor([1.0, 0.8, 0.6, 0.4])[:, None, None]
    heard = torch.cat([motion, torch.zeros(4, FRAMES, 772 - 70)], -1)
    mask = torch.ones(4, FRAMES, dtype=torch.bool)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    history = []
    for _ in range(100):
        losses = method.loss(heard, motion, mask)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    for name in ("lips", "contrast", "rest"):
        assert history[-1][name] < 0.5 * history[0][name], name


def test_a_lip_space_has_one_size_for_both_sides():
    space = LipSpace(772, 8, tiny().lips).eval()
    assert space.hear(torch.randn(1, 5, 772)).shape == space.see(torch.randn(1, 5, 8)).shape
