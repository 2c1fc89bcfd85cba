"""Autoencoder, UNet and process of the latent renderer."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from declaim.assets import cache
from declaim.errors import AssetError, CheckpointError, ConfigError
from declaim.pretrained import WEIGHTS_FILE, load_tensors, save_tensors
from declaim.render.latent.autoencoder import Autoencoder, Posterior, from_bytes, to_bytes
from declaim.render.latent.config import LatentConfig, default, paper, tiny
from declaim.render.latent.networks import LatentNetworks, load_autoencoder, save_autoencoder
from declaim.render.latent.objective import autoencoder_loss, frame_loss, perceptual_loss, reconstruction_loss
from declaim.render.latent.sampling import FrameSampler
from declaim.render.latent.unet import Conditions, DiffusionUNet, motion_attention, reference_attention

SIDE = 8
"""Latents of the tiny settings: 64 pixels, a place every 8."""


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def conditions(count: int = 2, guide: bool = True) -> Conditions:
    frames = normal(count, 4, SIDE, SIDE, seed=3) if guide else None
    return Conditions(normal(count, 70, seed=1), normal(1, 4, SIDE, SIDE, seed=2), frames, normal(1, 70, seed=4))


def made(config: LatentConfig) -> DiffusionUNet:
    """A UNet whose zeros are filled, as after training."""
    torch.manual_seed(0)
    unet = DiffusionUNet(config.unet, config.autoencoder.channels, config.diffusion_steps)
    for p in unet.parameters():
        if not p.any():
            nn.init.normal_(p, std=0.1)
    return unet.eval()


def changed(config: LatentConfig, **unet: object) -> LatentConfig:
    fitting = {} if unet.get("guide", True) else {"start": None, "detail": False}
    return LatentConfig.model_validate(config.model_dump() | {"unet": config.unet.model_dump() | unet} | fitting)


def test_losses_of_the_autoencoder():
    a, b = normal(2, 3, 16, 16), normal(2, 3, 16, 16, seed=1)
    torch.testing.assert_close(reconstruction_loss(a, b), nn.functional.mse_loss(a, b))

    def halves(pictures: Tensor) -> list[Tensor]:
        return [pictures, nn.functional.avg_pool2d(pictures, 2)]

    b.requires_grad_()
    found = perceptual_loss(a, b, halves)
    expected = [nn.functional.l1_loss(x, y) for x, y in zip(halves(a), halves(b), strict=True)]
    torch.testing.assert_close(found, torch.stack(expected).mean())
    found.backward()
    assert b.grad is not None
    two, three = torch.tensor(2.0), torch.tensor(3.0)
    assert float(autoencoder_loss(two, three, 0.5, 0.1)) == pytest.approx(1.3)


def test_loss_of_frames_counts_the_mouth_more():
    clean, estimate = normal(2, 4, 8, 8), normal(2, 4, 8, 8, seed=1)
    torch.testing.assert_close(frame_loss(clean, estimate), nn.functional.mse_loss(clean, estimate))
    weight = torch.ones(2, 1, 8, 8)
    torch.testing.assert_close(frame_loss(clean, estimate, weight), frame_loss(clean, estimate))
    weight[:, :, :2] = 5.0
    apart = (clean - estimate).square()
    torch.testing.assert_close(frame_loss(clean, estimate, weight), (apart.mean() + 4 * apart[:, :, :2].mean() / 4))


def test_divergence_is_torchs():
    posterior = Posterior(normal(2, 4, 3, 3), normal(2, 4, 3, 3, seed=1))
    own = torch.distributions.Normal(posterior.mean, (0.5 * posterior.log_variance).exp())
    standard = torch.distributions.Normal(torch.zeros(()), torch.ones(()))
    torch.testing.assert_close(posterior.divergence(), torch.distributions.kl_divergence(own, standard).mean())
    assert torch.equal(posterior.sample(torch.zeros(2, 4, 3, 3)), posterior.mean)


def test_autoencoder_learns_one_picture_by_heart_and_sees_the_reference():
    torch.manual_seed(0)
    autoencoder = Autoencoder(tiny().autoencoder)
    picture = nn.functional.interpolate(normal(1, 3, 8, 8), 64, mode="bilinear").clamp(-1, 1)
    optimizer, losses = torch.optim.Adam(autoencoder.parameters(), 1e-2), []
    for _ in range(60):
        latent = autoencoder.encode(picture).mean
        loss = reconstruction_loss(picture, autoencoder.decode(latent, latent))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
    with torch.no_grad():
        other = autoencoder.decode(latent + 1, latent)
    assert float((other - picture).abs().max()) > 0.1


@torch.no_grad()
def test_a_cut_is_encoded_as_in_the_whole_picture():
    autoencoder = Autoencoder(default().autoencoder)
    picture = normal(1, 3, 128, 128)
    whole, part = autoencoder.encode(picture).mean, autoencoder.encode(picture[..., 32:96, 32:96]).mean
    torch.testing.assert_close(part[..., 6:10, 6:10], whole[..., 14:18, 14:18], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_latents_have_the_units_that_were_measured():
    autoencoder, pictures = Autoencoder(tiny().autoencoder), normal(4, 3, 64, 64)
    autoencoder.measure(pictures)
    latents = autoencoder.latents(pictures)
    torch.testing.assert_close(latents.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(latents.std((0, 2, 3)), torch.ones(4), atol=1e-5, rtol=0)
    mean = autoencoder.encode(pictures).mean
    torch.testing.assert_close(autoencoder.pictures(latents, latents), autoencoder.decode(mean, mean))


def test_bytes_come_back():
    pictures = torch.randint(0, 256, (2, 5, 6, 3), dtype=torch.uint8)
    assert torch.equal(to_bytes(from_bytes(pictures)), pictures)


@torch.no_grad()
def test_an_untrained_network_leaves_the_guide_as_it_is():
    unet = DiffusionUNet(tiny().unet, 4, 50)
    told = conditions()
    estimate = unet(normal(2, 4, SIDE, SIDE), torch.tensor([3, 30]), told)
    assert torch.equal(estimate, told.guide)


@torch.no_grad()
def test_motion_is_attended_to_before_the_reference():
    block = made(tiny()).down[0]
    order = []
    block.motion.register_forward_hook(lambda *_: order.append("motion"))
    block.appearance.register_forward_hook(lambda *_: order.append("reference"))
    x, step, motion, reference = normal(1, 8, 4, 4), normal(1, 64), normal(1, 2, 8), normal(1, 16, 8)
    found = block(x, step, motion, reference)
    assert order == ["motion", "reference"]
    aware = motion_attention(block.motion, motion, block.residual(x, step))
    torch.testing.assert_close(found, reference_attention(block.appearance, reference, aware))
    assert not torch.equal(aware, block.residual(x, step))


@torch.no_grad()
def test_every_block_attends_to_both_conditions():
    unet, asked = made(tiny()), set()
    for name, module in unet.named_modules():
        if name.endswith((".motion", ".appearance")):
            module.register_forward_hook(lambda *_, name=name: asked.add(name))
    unet(normal(2, 4, SIDE, SIDE), torch.tensor([3, 30]), conditions())
    blocks = ("down.0", "down.1", "up.0", "up.1", "middle")
    assert asked == {f"{block}.{part}" for block in blocks for part in ("motion", "appearance")}


@torch.no_grad()
@pytest.mark.parametrize("unet", [{}, {"conditions": "concat"}, {"guide": False}, {"own": False}])
def test_everything_told_matters_and_frames_do_not_know_of_each_other(unet):
    config = changed(tiny(), **unet)
    network, noisy, step = made(config), normal(2, 4, SIDE, SIDE), torch.tensor([3, 30])
    told = conditions(guide=config.unet.guide)
    found = network(noisy, step, told)
    alone = Conditions(told.coefficients[1:], told.reference, None if told.guide is None else told.guide[1:], told.own)
    torch.testing.assert_close(network(noisy[1:], step[1:], alone), found[1:], atol=1e-5, rtol=1e-4)
    for name, value in vars(told).items():
        if value is not None and (name != "own" or config.unet.own):
            other = Conditions(**{**vars(told), name: value.flip(-1)})
            assert float((network(noisy, step, other) - found).abs().max()) > 1e-4
    assert float((network(noisy, step + 9, told) - found).abs().max()) > 1e-4
    if config.unet.own:
        with pytest.raises(ConfigError, match="portrait's own coefficients"):
            network(noisy, step, replace(told, own=None))
    with pytest.raises(ConfigError, match="guided"):
        network(noisy, step, conditions(guide=not config.unet.guide))


def test_one_batch_is_learnt_by_heart():
    torch.manual_seed(0)
    unet, told = DiffusionUNet(tiny().unet, 4, 50), conditions()
    clean, step = normal(2, 4, SIDE, SIDE, seed=5), torch.tensor([10, 40])
    optimizer, losses = torch.optim.Adam(unet.parameters(), 1e-2), []
    for _ in range(150):
        loss = frame_loss(clean, unet(normal(2, 4, SIDE, SIDE), step, told))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]


@torch.no_grad()
def test_a_perfect_network_draws_the_clean_latent_from_anywhere():
    class Knows(nn.Module):
        def forward(self, latent: Tensor, step: Tensor, told: Conditions) -> Tensor:
            steps.append(int(step[0]))
            return clean.expand_as(latent)

    clean, steps = normal(1, 4, SIDE, SIDE, seed=5), []
    for config in (tiny(), tiny().model_copy(update={"sampler": "dpmpp", "start": None})):
        sampler = FrameSampler(config, Knows())
        drawn = sampler(conditions(), sampler.noise(0))
        torch.testing.assert_close(drawn, clean.expand_as(drawn))
    assert steps == [20, 9, 49, 24]


@torch.no_grad()
def test_the_process_starts_from_the_noised_guide():
    class Stays(nn.Module):
        def forward(self, latent: Tensor, step: Tensor, told: Conditions) -> Tensor:
            seen.append(latent)
            return latent

    seen: list[Tensor] = []
    sampler, told = FrameSampler(tiny(), Stays()), conditions()
    noise = sampler.noise(0)
    assert torch.equal(noise, sampler.noise(0))
    assert not torch.equal(noise, sampler.noise(1))
    sampler(told, noise)
    level = sampler.schedule.at(20)
    torch.testing.assert_close(seen[0], level**0.5 * told.guide + (1 - level) ** 0.5 * noise)
    sampler(told, noise, torch.ones(1, 4, SIDE, SIDE))
    torch.testing.assert_close(seen[-2], level**0.5 * (told.guide + 1) + (1 - level) ** 0.5 * noise)
    with pytest.raises(ConfigError, match="none were given"):
        sampler(Conditions(told.coefficients, told.reference), noise)


def test_settings_that_do_not_fit_are_refused():
    for wrong, words in (
        ({"start": 50}, "less than diffusion_steps"),
        ({"side": 60}, "multiple of 32"),
        ({"unet": tiny().unet.model_copy(update={"guide": False})}, "without a guide"),
    ):
        with pytest.raises(ValueError, match=words):
            LatentConfig(**{**dict(tiny()), **wrong})
    published = paper()
    assert (published.autoencoder.factor, published.diffusion_steps, published.sampling_steps) == (4, 1000, 50)
    assert (published.side, published.view_cm, published.carry) == (256, None, 0.0)
    assert not published.unet.own


def test_networks_are_saved_and_read_strictly(tmp_path):
    networks = LatentNetworks(tiny())
    nn.init.normal_(networks.unet.exit.weight)
    networks.save_pretrained(tmp_path / "weights", "made by a test")
    read = LatentNetworks.from_pretrained(tmp_path / "weights")
    assert read.config == networks.config
    for name, value in networks.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    with pytest.raises(CheckpointError, match="declaim train latent-autoencoder"):
        load_autoencoder(tmp_path / "weights")
    tensors = load_tensors(tmp_path / "weights" / WEIGHTS_FILE)
    tensors.pop("unet.exit.weight")
    save_tensors(tmp_path / "weights" / WEIGHTS_FILE, tensors)
    with pytest.raises(CheckpointError, match=r"do not fit.*declaim train latent-renderer"):
        LatentNetworks.from_pretrained(tmp_path / "weights")


def test_an_autoencoder_is_saved_alone(tmp_path):
    autoencoder = Autoencoder(tiny().autoencoder)
    autoencoder.measure(normal(2, 3, 64, 64))
    save_autoencoder(autoencoder, tmp_path / "weights", "made by a test")
    read = load_autoencoder(tmp_path / "weights")
    torch.testing.assert_close(read.latent_std, autoencoder.latent_std, atol=1e-3, rtol=1e-3)
    with pytest.raises(ConfigError, match="other sizes"):
        LatentNetworks(default(), read)


def test_missing_weights_say_how_to_make_some(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_SHIPPED", tmp_path)
    with pytest.raises(AssetError, match=r"declaim train latent-autoencoder.*declaim train latent-renderer"):
        LatentNetworks.from_pretrained()
    with pytest.raises(CheckpointError, match="declaim train latent-renderer"):
        LatentNetworks.from_pretrained(tmp_path / "nothing")
