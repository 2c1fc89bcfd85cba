import pytest
import torch
from torch import nn

from declaim.errors import CheckpointError
from declaim.train.config import TrainConfig
from declaim.train.ema import MovingAverage
from declaim.train.loop import learning_rate, make_optimizer, train
from declaim.train.validate import correlation, mouth_figures


def make():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.3), nn.Linear(8, 2))


def losses(module, step):
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step)) + 0.1 * torch.randn(16, 4)
    return {"total": (module(x) - x[:, :2]).square().mean()}


CONFIG = TrainConfig(steps=30, batch_size=16, learning_rate=1e-2, warmup=5, ema=0.9, save_every=10, seed=3)


def test_training_learns(tmp_path):
    seen = []
    train(
        make(),
        losses,
        CONFIG.model_copy(update={"steps": 300}),
        tmp_path,
        on_step=lambda done, total, named: seen.append(named["total"]),
    )
    assert len(seen) == 300
    assert sum(seen[-20:]) < 0.5 * sum(seen[:20])


@pytest.mark.parametrize("stop", [10, 17])
def test_resumed_equals_uninterrupted_to_the_bit(tmp_path, stop):
    whole = train(make(), losses, CONFIG, tmp_path / "whole")
    train(make(), losses, CONFIG, tmp_path / "cut", stop_after=stop)
    torch.manual_seed(12345)
    resumed_module = make()
    resumed = train(resumed_module, losses, CONFIG, tmp_path / "cut")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_finished_run_gives_its_weights_again(tmp_path):
    first = train(make(), losses, CONFIG, tmp_path)
    again = train(make(), losses, CONFIG, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


def test_another_run_is_not_resumed(tmp_path):
    train(make(), losses, CONFIG, tmp_path, run={"data": "a"}, stop_after=10)
    with pytest.raises(CheckpointError, match="other settings"):
        train(make(), losses, CONFIG, tmp_path, run={"data": "b"})


def test_learning_rate_rises_and_falls():
    rates = [learning_rate(step, CONFIG) for step in range(30)]
    assert rates.index(max(rates)) in range(3, 7)
    assert rates[-1] < 0.02 * max(rates)


def test_moving_average_follows_and_lags():
    module = make()
    average = MovingAverage(module, 0.9)
    before = module[0].weight.detach().clone()
    with torch.no_grad():
        module[0].weight += 1.0
    average.update(module, step=1000)
    torch.testing.assert_close(average.module[0].weight, before + 0.1)
    assert not average.module[0].weight.requires_grad


def test_weight_decay_spares_biases():
    groups = make_optimizer(make(), CONFIG).param_groups
    assert [len(g["params"]) for g in groups] == [2, 2]
    assert groups[1]["weight_decay"] == 0.0


def test_mouth_figures_average_by_speaker():
    time = torch.linspace(0, 20, 200)
    wave, other = time.sin(), time.cos()
    figures = mouth_figures([("a", 2 * wave, wave), ("a", 2 * wave, wave), ("b", other, wave)])
    assert figures["mouth_correlation"] == pytest.approx((1 + correlation(other, wave)) / 2, abs=1e-3)
    assert figures["mouth_amplitude"] == pytest.approx((2 + float(other.std() / wave.std())) / 2, abs=1e-3)
    assert correlation(torch.ones(5), torch.arange(5.0)) == 0.0
