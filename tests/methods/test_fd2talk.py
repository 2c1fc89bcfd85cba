import pytest
import torch

from declaim.methods.fd2talk import FD2Talk, Normalizer, default, paper, tiny
from declaim.motion.sampling import joined
from declaim.nn.embeddings import sinusoid


@pytest.fixture
def method():
    torch.manual_seed(1)
    made = FD2Talk(tiny())
    for block in made.modules():
        if hasattr(block, "bias") and isinstance(block.bias, torch.nn.Parameter) and block.bias.ndim == 2:
            torch.nn.init.normal_(block.bias)
    return made.eval()


def features(frames, seed=0):
    return torch.randn(frames, tiny().speech_dim, generator=torch.Generator().manual_seed(seed))


def test_shipped_weights_load_and_speak_of_themselves():
    method = FD2Talk.from_pretrained()
    assert method.config == default() or method.config.speech_dim == default().speech_dim
    assert not method.training
    motion = method.generate_from_features([torch.zeros(30, method.config.speech_dim)], 30, steps=2)
    assert bool(motion.values.isfinite().all())


def test_two_transformers_do_not_know_each_other(method):
    losses = method.loss(features(20)[None], torch.randn(1, 20, 70), torch.ones(1, 20, dtype=torch.bool))
    losses["pose"].backward()
    assert not any(p.grad is not None and bool(p.grad.any()) for p in method.expression.parameters())
    assert any(bool(p.grad.any()) for p in method.pose.parameters())


def test_one_batch_can_be_learnt_by_heart():
    torch.manual_seed(0)
    method = FD2Talk(tiny())
    time = torch.arange(20.0)[None, :, None]
    motion = torch.sin(time / 3 + torch.arange(70.0)) * torch.ones(4, 1, 1)
    heard = torch.cat([motion, torch.zeros(4, 20, 772 - 70)], -1)
    mask = torch.ones(4, 20, dtype=torch.bool)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    history = []
    for _ in range(120):
        loss = method.loss(heard, motion, mask)["expression"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    assert sum(history[-10:]) < 0.25 * sum(history[:10])


def test_prefix_is_given_clean(method):
    method.config = method.config.model_copy(update={"prefix_share": 1.0})
    seen = []
    handle = method.expression.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    motion, mask = torch.randn(2, 20, 70), torch.ones(2, 20, dtype=torch.bool)
    method.loss(features(20).expand(2, -1, -1), motion, mask)
    handle.remove()
    x_t, _, _, given = seen[0]
    n = method.config.prefix
    assert given.tolist() == [[True] * n + [False] * (20 - n)] * 2
    torch.testing.assert_close(x_t[:, :n], motion[:, :n, :64])
    assert not torch.allclose(x_t[:, n:], motion[:, n:, :64])


def test_windows_join_with_the_least_second_differences():
    time = torch.arange(20.0)[:, None]
    finished, generated = torch.sin(time[:5] / 4), 1.0 + torch.sin(time[5:] / 3)
    bent = joined(generated, finished, fade=8)
    torch.testing.assert_close(bent[8:], generated[8:])

    def bends(moved):
        """Squared second differences of means of two frames around the border."""
        pairs = torch.cat([finished[-4:], generated[:4] + moved]).view(4, 2).mean(1)
        return pairs.diff(n=2).square().sum()

    best = bends(bent[0] - generated[0])
    assert all(best < bends(bent[0] - generated[0] + nudge) for nudge in (-0.01, 0.01))
    assert torch.equal(joined(generated, finished[:0], fade=8), generated)
    assert torch.equal(joined(generated, finished, fade=0), generated)
    torch.testing.assert_close(joined(generated[:1], finished, fade=8), 2 * finished[-1:] - finished[-2:-1])
    torch.testing.assert_close(joined(generated[:1], finished[:1], fade=8), finished[:1])


def test_head_starts_at_rest(method):
    seen = []
    handle = method.pose.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    method.generate_from_features([features(10)], 10)
    handle.remove()
    x_t, _, _, given, since = seen[0]
    n = method.config.prefix
    assert given[0].tolist() == [True] * n + [False] * 10
    assert float(x_t[0, :n].abs().max()) == 0.0
    assert since == n


@pytest.mark.parametrize("changed", [{"joint": True}, {"band": None}], ids=["joint", "no mask"])
def test_ablations_generate_learn_and_come_back(changed, tmp_path):
    torch.manual_seed(0)
    made = FD2Talk(tiny().model_copy(update=changed)).eval()
    assert [columns.stop - columns.start for _, columns in made.parts] == ([70] if made.config.joint else [64, 6])
    made.save_pretrained(tmp_path / "w")
    again = FD2Talk.from_pretrained(tmp_path / "w")
    assert again.config == made.config
    motion = again.generate_from_features([features(50)], 50, seed=2)
    assert torch.equal(motion.values, again.generate_from_features([features(50)], 50, seed=2).values)
    assert bool(motion.values.isfinite().all())
    losses = again.train().loss(features(20)[None], torch.randn(1, 20, 70), torch.ones(1, 20, dtype=torch.bool))
    losses["total"].backward()
    assert all(p.grad is not None for p in again.parameters() if p.ndim > 1)


def test_one_transformer_for_both_lets_pose_change_the_expression():
    torch.manual_seed(0)
    made = FD2Talk(tiny().model_copy(update={"joint": True})).eval()
    network, heard = made.both, made.both.listen(features(20)[None])
    x_t, given = torch.randn(1, 20, 70), torch.zeros(1, 20, dtype=torch.bool)
    turned = torch.cat([x_t[..., :64], x_t[..., 64:] + 1.0], -1)
    step = network.embed(torch.tensor([5]))
    one, two = network(x_t, step, heard, given), network(turned, step, heard, given)
    assert not torch.allclose(one[..., :64], two[..., :64], atol=1e-4)


@pytest.mark.parametrize(("band", "heard"), [(3, 4), (None, 20)])
def test_without_the_mask_a_frame_hears_the_whole_window(band, heard):
    """Of twenty frames the first hears itself and three more, or all."""
    torch.manual_seed(0)
    config = tiny().model_copy(update={"band": band})
    sizes = config.expression.model_copy(update={"speech_layers": 0, "reach": 0})
    network = FD2Talk(config.model_copy(update={"expression": sizes})).eval().expression
    speech = features(20)[None].requires_grad_()
    block = network.blocks[0].cross_attention
    block(torch.randn(1, 20, 16), network.listen(speech).offers[0])[0, 0].sum().backward()
    assert int(speech.grad[0].any(-1).sum()) == heard


@pytest.mark.parametrize("reach", [0, 4])
def test_the_split_condition_is_the_condition(reach):
    """What the speech and what the step decide add up to one projection of both, as the paper draws it."""
    torch.manual_seed(0)
    config = tiny()
    sizes = config.expression.model_copy(update={"reach": reach, "layers": 2})
    network = FD2Talk(config.model_copy(update={"expression": sizes})).eval().expression
    x_t, steps, given = torch.randn(2, 20, 64), torch.tensor([3, 17]), torch.arange(20).expand(2, -1) < 5
    speech = torch.randn(2, 20, 772)
    embedded = network.step(steps)[:, None].expand(-1, 20, -1)
    condition = network.condition(torch.cat([network.speech(speech), embedded], -1))
    x = network.enter(torch.cat([x_t, given[..., None].float()], -1))
    x = x + (condition if reach else sinusoid(torch.arange(20.0), x.shape[2]))
    for block in network.blocks:
        x = block(x, condition)
    wanted = network.leave(network.norm(x))
    given_to = (x_t, network.embed(steps), network.listen(speech), given)
    torch.testing.assert_close(network(*given_to), wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(network(*given_to, 5), wanted[:, 5:], atol=1e-5, rtol=1e-5)


def test_paper_numbers():
    config = paper()
    assert (config.expression.layers, config.pose.layers, config.frames) == (6, 6, 25)
    assert (config.diffusion_steps, config.sampling_steps, config.band) == (1000, 50, 3)
    assert (config.encoder, config.speech_dim, config.joint, config.sampler) == ("wav2vec2-base", 768, False, "ddim")
    assert (config.pose_weight, config.sync_weight) == (1.0, 1.0)
    assert (config.lip_weight, config.opening_weight, config.velocity_weight) == (0.0, 0.0, 0.0)
    assert (config.prefix, config.ahead, config.seam_frames, config.lip_gain) == (0, 0, 0, 1.0)


def test_low_temperature_is_only_for_lips():
    normalizer = Normalizer.identity(4, 70)
    noise = torch.randn(5, 64)
    cooled = normalizer.scale_lips(noise, 0.0)
    torch.testing.assert_close(cooled[:, 8:], noise[:, 8:])
    torch.testing.assert_close(cooled[:, :8], torch.zeros(5, 8))


def test_lips_are_settled_after_their_steps(method):
    frames = method.config.new
    basis = method.normalizer.lip_basis

    def expression(steps, settle_after):
        method.config = tiny().model_copy(update={"lip_steps": settle_after})
        motion = method.generate_from_features([features(frames)], frames, steps=steps, blink_scale=0.0)
        return motion["expression"]

    once, often = expression(1, 1), expression(6, 1)
    torch.testing.assert_close(once @ basis, often @ basis, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(once, often, atol=1e-2)
    assert not torch.allclose(expression(6, 6) @ basis, often @ basis, atol=1e-2)
