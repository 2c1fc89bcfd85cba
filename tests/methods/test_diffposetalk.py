"""DiffPoseTalk's networks, conditions, styles and guidance, with its ``tiny()`` settings."""

import math

import pytest
import torch

from declaim.errors import CheckpointError, ConfigError, DeclaimWarning
from declaim.face.layouts import FACE64, N_EXPRESSION
from declaim.methods.diffposetalk import DiffPoseTalk, default, paper, tiny
from declaim.methods.diffposetalk.method import NARROW, Reference
from declaim.methods.diffposetalk.network import MOST_LOG_AMPLITUDE, Branch, Guided, StyleEncoder
from declaim.motion.style import Style
from declaim.types import Motion

FRAMES, PREFIX = tiny().frames, tiny().prefix


@pytest.fixture
def method():
    torch.manual_seed(1)
    made = DiffPoseTalk(tiny()).eval()
    with torch.no_grad():
        made.denoiser.no_style.normal_()
        made.denoiser.no_speech.normal_()
    return made


def features(frames, seed=0):
    return torch.randn(frames, tiny().speech_dim, generator=torch.Generator().manual_seed(seed))


def moving(frames, seed=0):
    values = 0.3 * torch.randn(frames, FACE64.dim, generator=torch.Generator().manual_seed(seed)).cumsum(0)
    return Motion(values * torch.cat([torch.ones(64), 0.05 * torch.ones(6)]), FACE64)


def estimate(method, *, real=None, first=False, speech=0, style=0.0, x=None):
    network = method.denoiser
    x = torch.randn(1, FRAMES, FACE64.dim, generator=torch.Generator().manual_seed(5)) if x is None else x
    real = torch.ones(1, FRAMES, dtype=torch.bool) if real is None else real
    code = torch.full((1, tiny().style.dim), style)
    heard = network.listen(features(FRAMES, speech)[None])
    return network(x, torch.tensor([3]), heard, code, first=torch.tensor([first]), real=real)


def test_estimates_depend_on_style_speech_and_the_indicator_of_padding(method):
    base = estimate(method)
    padded = torch.ones(1, FRAMES, dtype=torch.bool)
    padded[:, 15:] = False
    for other in (estimate(method, style=1.0), estimate(method, speech=1), estimate(method, real=padded)):
        assert not torch.allclose(other, base, atol=1e-3)


def test_start_tokens_stand_for_what_is_before_a_first_window(method):
    x = torch.randn(1, FRAMES, FACE64.dim)
    other = x.clone()
    other[:, :PREFIX] += 1.0
    torch.testing.assert_close(estimate(method, x=x, first=True), estimate(method, x=other, first=True))
    assert not torch.allclose(estimate(method, x=x), estimate(method, x=other), atol=1e-3)
    with torch.no_grad():
        method.denoiser.start_motion += 1.0
    assert not torch.allclose(estimate(method, x=x, first=True), estimate(method, x=x), atol=1e-3)


def test_a_frame_hears_its_own_speech_and_the_person_all_of_it():
    method = DiffPoseTalk(tiny())
    barred = method.denoiser._barred(6, torch.device("cpu"))
    assert barred.shape == (7, 6)
    assert not bool(barred[0].any())
    assert barred[1:].equal((torch.arange(6)[:, None] - torch.arange(6)).abs() > tiny().denoiser.band)


def test_branches_run_as_one_batch_and_give_what_each_gives_alone(method):
    code = torch.ones(tiny().style.dim)
    x, step = torch.randn(1, FRAMES, FACE64.dim), torch.tensor([4])
    given, real = torch.zeros(1, FRAMES, dtype=torch.bool), torch.ones(FRAMES, dtype=torch.bool)
    kinds = [(0.2, False, None), (-0.7, True, None), (1.5, True, code)]

    def run(branches):
        guided = Guided(method.denoiser, branches, first=False, real=real, threshold=None, bound=100.0)
        return guided(x, step, guided.listen(features(FRAMES)[None]), given)

    alone = [run([Branch(1.0, *kind[1:])]) for kind in kinds]
    expected = sum(kind[0] * one for kind, one in zip(kinds, alone, strict=True))
    torch.testing.assert_close(run([Branch(*kind) for kind in kinds]), expected, atol=1e-5, rtol=1e-5)


def test_scales_choose_the_branches(method):
    style = method.style_of(moving(60))
    full = method.with_style(style, speech_guidance=1.15, style_guidance=3.0)
    weights = [branch.weight for branch in full._branches()]
    assert weights == pytest.approx([1 - 1.15, 1.15 - 3.0, 3.0])
    assert [branch.hears for branch in full._branches()] == [False, True, True]
    assert [branch.style is None for branch in full._branches()] == [True, True, False]
    assert len(method.with_style(style)._branches()) == 1
    assert [b.weight for b in method.with_style(None, speech_guidance=2.0)._branches()] == [-1.0, 2.0]
    alone = DiffPoseTalk(tiny().model_copy(update={"guidance": "independent"}))
    both = alone.with_style(alone.style_of(moving(60)), speech_guidance=1.5, style_guidance=2.0)
    assert [(b.weight, b.hears) for b in both._branches()] == [(-2.5, False), (1.5, True), (2.0, False)]


def test_a_style_changes_the_motion_and_none_is_the_method_itself(method):
    style = method.style_of(moving(60))
    plain = method.generate_from_features([features(50)], 50, seed=2)
    styled = method.with_style(style).generate_from_features([features(50)], 50, seed=2)
    assert not torch.allclose(styled.values, plain.values, atol=1e-3)
    again = method.with_style(style).with_style(None).generate_from_features([features(50)], 50, seed=2)
    assert torch.equal(again.values, plain.values)
    assert method.style is None


def test_styled_takes_are_streamed_bit_by_bit(method):
    worn = method.with_style(method.style_of(moving(60)), speech_guidance=1.5, style_guidance=2.0)
    whole = features(70)
    once = worn.generate_from_features([whole], 70, seed=3).values
    assert torch.equal(worn.generate_from_features(list(whole.split(11)), 70, seed=3).values, once)


def test_shared_weights_stay_shared(method):
    assert method.with_style(None).denoiser is method.denoiser


@pytest.mark.parametrize("scale", [-1.0, math.nan, math.inf])
def test_scales_that_are_none_are_refused(method, scale):
    with pytest.raises(ConfigError, match="style_guidance"):
        method.with_style(None, style_guidance=scale)


@pytest.mark.parametrize(("scale", "said"), [(0.0, "leaves the style out"), (1e6, "held within bounds")])
def test_zero_and_huge_scales_warn_and_stay_bounded(method, scale, said):
    style = method.style_of(moving(60))
    with pytest.warns(DeclaimWarning, match=said):
        worn = method.with_style(style, style_guidance=scale)
    values = worn.generate_from_features([features(40)], 40, blink_scale=0.0).values
    assert bool(values.isfinite().all())
    assert float(values.abs().max()) < 4 * NARROW


def test_codes_know_the_order_of_frames_and_nothing_of_padding():
    torch.manual_seed(0)
    encoder = StyleEncoder(FACE64.dim, tiny().style.model_copy(update={"spreads": False})).eval()
    motion, mask = torch.randn(2, 30, FACE64.dim), torch.ones(2, 30, dtype=torch.bool)
    code = encoder(motion, mask)
    assert not torch.allclose(encoder(motion.flip(1), mask), code, atol=1e-4)
    mask[:, 20:] = False
    other = motion.clone()
    other[:, 20:] = 100.0
    torch.testing.assert_close(encoder(other, mask), encoder(motion, mask))
    torch.testing.assert_close(encoder(motion[:, :20], mask[:, :20]), encoder(motion, mask), atol=1e-5, rtol=1e-4)
    assert bool((encoder(motion, torch.zeros_like(mask)) == 0).all())


def test_a_long_clip_has_the_mean_style_of_its_parts(method):
    long = moving(2 * tiny().style.frames)
    style = method.style_of(long, source="somebody")
    assert (style.source, style.seconds, style.encoder) == ("somebody", 3.2, method.style_key)
    assert style.code.shape == (tiny().style.dim,)
    short = method.style_of(moving(50))
    assert not torch.allclose(short.code, style.code, atol=1e-3)


def test_unfit_motion_has_no_style(method):
    with pytest.raises(ConfigError, match=r"needs 2 s of a face in motion, and this has 1\.0 s"):
        method.style_of(moving(25))
    blind = Motion(moving(80).values, FACE64, valid=torch.arange(80) < 30)
    with pytest.raises(ConfigError, match=r"has 1\.2 s"):
        method.style_of(blind)
    table = DiffPoseTalk(tiny().model_copy(update={"style": tiny().style.model_copy(update={"kind": "none"})}))
    with pytest.raises(ConfigError, match="no style encoder"):
        table.style_of(moving(60))


def test_styles_of_other_encoders_are_refused(method):
    torch.manual_seed(9)
    other = DiffPoseTalk(tiny())
    with pytest.raises(CheckpointError, match="another style encoder"):
        method.with_style(other.style_of(moving(60)))


def test_named_styles_and_the_default_one_are_saved_with_the_weights(method, tmp_path):
    method.styles = {"calm": method.style_of(moving(60, 1)), "lively": method.style_of(moving(60, 2))}
    method.config = method.config.model_copy(update={"default_style": "lively"})
    method.save_pretrained(tmp_path / "w")
    again = DiffPoseTalk.from_pretrained(tmp_path / "w")
    assert sorted(again.styles) == ["calm", "lively"]
    assert again.style_key == method.style_key
    assert torch.equal(again.style.code, method.styles["lively"].code)
    (tmp_path / "w" / "styles" / "lively.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks the style 'lively'"):
        DiffPoseTalk.from_pretrained(tmp_path / "w")
    Style(torch.zeros(16), "0" * 16, "x", 1.0).save(tmp_path / "w" / "styles" / "lively.safetensors")
    with pytest.raises(CheckpointError, match="another style encoder"):
        DiffPoseTalk.from_pretrained(tmp_path / "w")


def batch(rows=4, frames=30):
    generator = torch.Generator().manual_seed(2)
    motion = torch.randn(rows, frames, FACE64.dim, generator=generator)
    return torch.randn(rows, frames, 772, generator=generator), motion, torch.ones(rows, frames, dtype=torch.bool)


def test_a_windows_style_comes_from_the_other_window_or_from_a_reference(method):
    _, motion, mask = batch()
    styles, _ = method._codes(motion, mask, torch.arange(4), None)
    first, second = (
        method.style_encoder(motion[:, :15], mask[:, :15]),
        method.style_encoder(motion[:, 15:], mask[:, 15:]),
    )
    torch.testing.assert_close(styles, torch.cat([second, first]))
    other = torch.randn(4, 25, FACE64.dim)
    seen = torch.ones(4, 25, dtype=torch.bool)
    seen[1] = False  # this row has no reference
    mixed, _ = method._codes(motion, mask, torch.arange(4), Reference(other, seen))
    torch.testing.assert_close(mixed[[1, 5]], styles[[1, 5]])
    torch.testing.assert_close(mixed[[0, 4]], method.style_encoder(other, seen)[[0, 0]])


def test_conditions_are_dropped_in_the_shares_that_are_set(method):
    seeds = torch.arange(1500)
    codes, heard = torch.ones(3000, tiny().style.dim), torch.ones(3000, PREFIX + 2, 16)
    styles, spoken = method._dropped(codes, heard, seeds)
    styleless, silent = (styles == method.denoiser.no_style).all(1), (spoken[:, -1] == method.denoiser.no_speech).all(1)
    assert float((~styleless & ~silent).float().mean()) == pytest.approx(0.55, abs=0.03)
    assert float((styleless & ~silent).float().mean()) == pytest.approx(0.35, abs=0.03)
    assert float((styleless & silent).float().mean()) == pytest.approx(0.10, abs=0.02)
    assert bool((spoken[:, :PREFIX] == 1).all())


def test_the_loss_of_a_sequence_depends_on_its_seed_alone(method):
    speech, motion, mask = batch()
    seeds = torch.arange(4)
    whole = method.loss(speech, motion, mask, seeds=seeds)
    parts = [
        method.loss(speech[i : i + 1], motion[i : i + 1], mask[i : i + 1], seeds=seeds[i : i + 1]) for i in range(4)
    ]
    for name in ("x0", "head_velocity", "transition", "opening"):
        mean = torch.stack([part[name] for part in parts]).mean()
        torch.testing.assert_close(whole[name], mean, atol=1e-4, rtol=1e-4)


def test_a_detached_encoder_learns_from_the_contrast_alone(method):
    style = tiny().style
    for detached in (True, False):
        config = tiny().model_copy(update={"style": style.model_copy(update={"detached": detached})})
        other = DiffPoseTalk(config)
        losses = other.loss(*batch(), seeds=torch.arange(4))
        (losses["total"] - config.style.contrast_weight * losses["contrast"]).backward()
        moved = any(p.grad is not None and bool(p.grad.abs().sum() > 1e-9) for p in other.style_encoder.parameters())
        assert moved is not detached


def test_the_estimate_is_built_on_the_best_linear_one(method):
    """For data of the style's own amplitudes: with nothing from the network, it is the mean given the noisy frame."""
    network, x = method.denoiser, torch.randn(1, FRAMES, FACE64.dim)
    torch.nn.init.zeros_(network.leave[-1].weight)
    torch.nn.init.zeros_(network.leave[-1].bias)
    with torch.no_grad():
        wanted = MOST_LOG_AMPLITUDE * math.atanh(math.log(3.0) / MOST_LOG_AMPLITUDE)
        network.amplitude.weight.fill_(wanted / tiny().style.dim)
    level = float(network.levels[3])
    for style, size in ((0.0, 1.0), (1.0, 3.0)):
        found = estimate(method, x=x, style=style)
        expected = math.sqrt(level) * size**2 / (level * size**2 + 1 - level) * x
        torch.testing.assert_close(found[:, PREFIX:], expected[:, PREFIX:], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[:, :PREFIX], x[:, :PREFIX])


def test_paper_has_the_published_numbers():
    config = paper()
    assert (config.frames, config.prefix, config.new, config.training_frames) == (110, 10, 100, 200)
    sizes = config.denoiser
    assert (sizes.dim, sizes.heads, sizes.layers, sizes.band, sizes.places) == (512, 8, 8, 0, 111)
    assert (config.diffusion_steps, config.schedule, config.sampling_steps) == (500, "cosine", 500)
    assert (config.speech_guidance, config.style_guidance, config.guidance) == (1.15, 3.0, "incremental")
    assert (config.style.dim, config.style.heads, config.style.layers, config.style.temperature) == (128, 4, 4, 0.1)
    assert (config.drop_style, config.drop_both) == (0.35, 0.10)
    assert default().training_frames == 100


def test_the_published_sampler_takes_chances_that_belong_to_frames(method):
    """500 DDPM steps, here 20: other bits than without chance, the same ones whatever the blocks."""
    method.config = method.config.model_copy(update={"sampler": "ddim", "ancestral": True})
    whole = features(40)
    once = method.generate_from_features([whole], 40, steps=20).values
    assert torch.equal(method.generate_from_features(list(whole.split(9)), 40, steps=20).values, once)
    method.config = method.config.model_copy(update={"ancestral": False})
    assert not torch.allclose(method.generate_from_features([whole], 40, steps=20).values, once, atol=1e-3)


def test_lips_across_windows_are_as_sampled(method):
    lips = method.normalizer.lip_basis
    motion = method.generate_from_features([features(60)], 60, seed=4, blink_scale=0.0)
    assert float((motion["expression"] @ lips).std()) > 0.01
    assert motion["expression"].shape == (60, N_EXPRESSION)
