import pytest
import torch
from pydantic import ValidationError

from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.methods.sdm import SDM, SDMConfig, paper, tiny
from declaim.methods.sdm.network import BoundaryPredictor, PoseBranch, RhythmBranch

FRAMES, PREFIX = tiny().frames, tiny().prefix
QUIET = {"dropout": 0.0, "speech_dropout": 0.0, "speech_noise": 0.0}


def made(**changed):
    torch.manual_seed(1)
    return SDM(tiny().model_copy(update=changed)).eval()


@pytest.fixture
def method():
    return made()


def features(frames, seed=0):
    return torch.randn(frames, tiny().speech_dim, generator=torch.Generator().manual_seed(seed))


def batch(rows=3, frames=FRAMES):
    generator = torch.Generator().manual_seed(2)
    motion = torch.randn(rows, frames, FACE64.dim, generator=generator)
    return torch.randn(rows, frames, 772, generator=generator), motion, torch.ones(rows, frames, dtype=torch.bool)


def take(method, frames=60, seed=0, heard=None, **options):
    heard = features(frames) if heard is None else heard
    return method.generate_from_features([heard], frames, seed=seed, blink_scale=0.0, **options).values


def branch(mode_frames):
    config = tiny().pose.model_copy(update={"mode_frames": mode_frames})
    torch.manual_seed(0)
    return PoseBranch(768, FACE64.dim, 8, tiny().latent, config).eval()


def test_equation_2_goes_on_from_the_last_frame_and_looks_at_no_later_mode():
    torch.manual_seed(0)
    config = tiny().pose.model_copy(update={"mode_frames": 4})
    pose = PoseBranch(768, FACE64.dim, 8, tiny().latent, config).eval()
    content, last, modes = torch.randn(1, 10, 16), torch.randn(1, 8), torch.randn(1, 3, 4)
    latents = pose(content, last, modes)
    torch.testing.assert_close(pose(content, last + 1.0, modes) - latents, torch.ones_like(latents), atol=0.7, rtol=0)
    changed = modes.clone()
    changed[:, 2] += 1.0
    after = pose(content, last, changed)
    assert torch.equal(after[:, :8], latents[:, :8])
    assert not torch.allclose(after[:, 8:], latents[:, 8:], atol=1e-3)


def test_equation_3_decodes_the_frame_before():
    pose, latents = branch(1), torch.randn(1, 5, 8)
    decoded = pose.previous(latents.diff(dim=1), latents[:, 1:])
    torch.testing.assert_close(decoded, pose.decode(latents[:, :-1]), atol=1e-5, rtol=1e-5)


def test_modes_are_found_in_their_own_fragment():
    pose, latents = branch(4), torch.randn(1, 12, 8)
    mean, log_variance = pose.modes(latents)
    assert mean.shape == log_variance.shape == (1, 3, 4)  # 11 frames after the first
    changed = latents.clone()
    changed[:, -1] += 1.0  # the convolution carries it 3 frames back, into the second fragment at most
    torch.testing.assert_close(pose.modes(changed)[0][:, 0], mean[:, 0])
    assert not torch.allclose(pose.modes(changed)[0][:, 2], mean[:, 2], atol=1e-3)


def test_equation_12_other_seeds_draw_other_pose_modes(method):
    """Without a reverse process worth the name, what is left of the seed are the modes."""
    heard, known = method.hear(features(FRAMES)[None]), torch.zeros(1, PREFIX, FACE64.dim)
    one, two = (
        method.guess(heard, known, torch.randn(1, FRAMES - PREFIX, 4), method.normalizer).motion for _ in range(2)
    )
    basis = method.normalizer.lip_basis
    torch.testing.assert_close(one[..., :N_EXPRESSION] @ basis, two[..., :N_EXPRESSION] @ basis, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(one[..., N_EXPRESSION:], two[..., N_EXPRESSION:], atol=1e-3)
    assert not torch.allclose(take(method, seed=1), take(method, seed=2), atol=1e-2)


def test_content_and_prosody_take_their_own_ways():
    def moved(method, columns):
        changed = features(60)
        changed[:, columns] += torch.randn(60, 1, generator=torch.Generator().manual_seed(3))
        return not torch.equal(take(method, heard=changed), take(method))

    content, prosody = slice(0, -4), slice(-4, None)
    assert moved(made(), content)
    assert moved(made(), prosody)
    assert not moved(made(pose=None), content)
    assert moved(made(pose=None), prosody)
    assert moved(made(rhythm=None), content)
    assert not moved(made(rhythm=None), prosody)


def test_a_rhythm_without_decoder_changes_nothing():
    rhythm = RhythmBranch(4, FACE64.dim, 8, tiny().rhythm).eval()
    assert rhythm(torch.randn(2, 7, 4)).shape == (2, 7, 8)
    method, without = made(), made(rhythm=None)
    without.load_state_dict({k: v for k, v in method.state_dict().items() if not k.startswith("rhythm.")})
    torch.nn.init.zeros_(method.rhythm.decode.weight)
    torch.nn.init.zeros_(method.rhythm.decode.bias)
    assert torch.equal(take(method), take(without))


def test_a_shallow_take_visits_few_steps_below_its_start():
    assert made(start_step=8).visited(20) == list(range(8, -1, -1))
    assert made(start_step=8).visited(2)[0] == 8
    assert made(start_step=None).visited(2) == made(shallow=False).visited(2)
    assert made(shallow=False).visited(2)[0] > 8


def test_the_earlier_the_start_the_nearer_the_guess():
    """With a denoiser that leaves the noisy signal as it is, a take is its guess and some noise."""
    heard, known = features(FRAMES), torch.zeros(PREFIX, FACE64.dim)
    distances = []
    for start in (2, 17):
        method = made(start_step=start, seam_frames=0, lip_gain=1.0, face_smoothing=0.0)
        method.denoiser.forward = lambda x_t, *others: x_t[:, others[3] :]
        whole = take(method, 12, heard=heard[:12])
        silent = made(start_step=None, seam_frames=0, lip_gain=1.0, face_smoothing=0.0)
        assert not torch.equal(whole, take(silent, 12, heard=heard[:12]))
        distances.append(float(whole.std()))
    assert known.shape == (PREFIX, FACE64.dim)
    assert distances[0] < distances[1]


def test_paper_generates_frame_by_frame():
    config = paper()
    assert config.new == 1
    assert (config.reg_weight, config.ind_weight, config.rec_weight) == (5.0, 2.0, 1.0)
    small = config.model_copy(
        update={"pose": tiny().pose, "rhythm": tiny().rhythm, "denoiser": tiny().denoiser, "start_step": 1}
    )
    torch.manual_seed(0)
    method = SDM(small).eval()
    assert method.schedule.at(99) == pytest.approx(0.047, abs=0.002)  # betas up to .06
    heard = torch.randn(12, config.speech_dim)
    values = method.generate_from_features([heard], 12, seed=1).values
    assert values.shape == (12, FACE64.dim)
    assert bool(values.isfinite().all())


def test_pose_modes_must_divide_windows():
    with pytest.raises(ValidationError, match=r"50 new frames .* pose modes of 7 frames do not divide"):
        SDMConfig(pose={"mode_frames": 7})
    with pytest.raises(ValidationError, match="both branches are left out"):
        SDMConfig(pose=None, rhythm=None)
    with pytest.raises(ValidationError, match="start_step is 1000; the process has 1000 steps"):
        SDMConfig(start_step=1000)


def test_the_reverse_process_does_not_bend_the_branches(method):
    speech, motion, mask = batch()
    total = method.loss(speech, motion, mask, seeds=torch.arange(3))
    total["boundary"].backward(retain_graph=True)
    assert all(p.grad is None for p in method.pose.parameters())
    assert any(bool(p.grad.any()) for p in method.boundary.parameters())


def test_still_heads_do_not_teach_the_pose(method):
    speech, motion, mask = batch()
    method.loss(speech, motion, mask, torch.zeros_like(mask), torch.arange(3))["total"].backward()
    rows = method.denoiser.leave.weight.grad
    assert not bool(rows[N_EXPRESSION:].any())
    assert bool(rows[:N_EXPRESSION].any())
    assert not bool(method.pose.decode[-1].weight.grad[N_EXPRESSION:].any())


def test_the_reading_of_equation_5_is_a_setting():
    speech, motion, mask = batch()
    both = ("decorrelated", "printed")
    with torch.no_grad():
        losses = [float(made(independence=i).loss(speech, motion, mask, seeds=torch.arange(3))["ind"]) for i in both]
    assert losses[0] <= 1.0
    assert losses[0] != losses[1]


def test_it_learns_what_speech_says():
    torch.manual_seed(0)
    method = SDM(tiny())
    time = torch.arange(float(FRAMES))[None, :, None]
    motion = torch.sin(time / 3 + torch.arange(70.0)) * torch.tensor([1.0, 0.8, 0.6, 0.4])[:, None, None]
    heard = torch.cat([motion, torch.zeros(4, FRAMES, 772 - 70)], -1)
    mask = torch.ones(4, FRAMES, dtype=torch.bool)
    optimizer = torch.optim.Adam(method.parameters(), lr=2e-2)
    history = []
    for _ in range(40):
        losses = method.loss(heard, motion, mask)
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    for name in ("reg", "rec", "lips", "opening"):
        assert history[-1][name] < 0.7 * history[0][name], name


def test_the_start_is_chosen_without_the_chances_of_training():
    loud = tiny().pose.model_copy(update={"speech_noise": 5.0, "dropout": 0.5})
    method, (speech, motion, _) = made(pose=loud).train(), batch()
    starts = {method.predicted_start(speech, motion, torch.arange(3)) for _ in range(3)}
    assert len(starts) == 1
    assert method.training


def test_the_better_the_guess_the_shallower_the_start():
    """A predictor that knows clean motion by its size: guesses of the same size pass for real at once."""
    method = made()
    speech, motion, _ = batch()
    seeds = torch.arange(3)

    class BySize(BoundaryPredictor):
        def forward(self, x_t, step):
            return 100.0 * (x_t.square().mean(2) - 1.0)

    method.boundary = BySize(FACE64.dim, 20)
    method._real_and_guessed = lambda _, x0, __: (2.0 * x0[:, PREFIX:], 2.0 * x0[:, PREFIX:])
    assert method.predicted_start(speech, motion, seeds) == 0.0
    method._real_and_guessed = lambda _, x0, __: (2.0 * x0[:, PREFIX:], 0.0 * x0[:, PREFIX:])
    assert method.predicted_start(speech, motion, seeds) > 10.0
