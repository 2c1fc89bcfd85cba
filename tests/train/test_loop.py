import json
import os
import signal

import pytest
import torch
from torch import nn

from declaim.errors import CheckpointError, ConfigError, DeclaimWarning, Diverged
from declaim.train.checkpoint import saved_states
from declaim.train.config import TrainConfig
from declaim.train.curves import read_points
from declaim.train.ema import MovingAverage
from declaim.train.loop import train
from declaim.train.optimizer import learning_rate, make_optimizer
from declaim.train.processes import make_accelerator, own_rows, row_seeds


class Toy:
    """Regression with noise of row seeds, and dropout."""

    clips = ()

    def __init__(self, dropout=0.3, poisoned=None, shift=0.0):
        torch.manual_seed(0)
        self.module = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8) if shift else nn.Dropout(dropout), nn.Linear(8, 2)
        )
        self.poisoned, self.validated = poisoned, []

    def batch(self, number, rows):
        x = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(1000 * number + row)) for row in rows])
        if self.poisoned is not None:
            x[torch.tensor([(number, row) == self.poisoned for row in rows])] = torch.nan
        return {"x": x}

    def names(self, number, rows):
        return [f"clip-{number}-{row}" for row in rows]

    def losses(self, module, batch, seeds):
        noise = torch.stack([torch.randn(4, generator=torch.Generator().manual_seed(s)) for s in seeds.tolist()])
        error = module(batch["x"] + 0.1 * noise) - batch["x"][:, :2]
        return {"total": error.square().mean(), "size": error.abs().mean()}

    def validate(self, module):
        assert not module.training
        x = torch.randn(64, 4, generator=torch.Generator().manual_seed(7))
        torch.rand(3)  # what validation draws must not matter
        self.validated.append(float((module(x) - x[:, :2]).square().mean()))
        return {"error": self.validated[-1]}

    def save(self, module, folder, card):
        raise NotImplementedError


CONFIG = TrainConfig(
    steps=30,
    batch_size=16,
    learning_rate=1e-2,
    warmup=5,
    ema=0.9,
    save_every=10,
    validate_every=10,
    log_every=5,
    seed=3,
)


def changed(**settings):
    return CONFIG.model_copy(update=settings)


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.module.parameters(), b.module.parameters(), strict=True))


def test_training_learns(tmp_path):
    seen = []
    train(Toy(), changed(steps=100), tmp_path, on_step=lambda done, total, named: seen.append(named["total"]))
    assert len(seen) == 100
    assert sum(seen[-20:]) < 0.5 * sum(seen[:20])


def test_one_batch_can_be_learnt_by_heart(tmp_path):
    toy, seen = Toy(dropout=0.0), []
    draw = toy.batch
    toy.batch = lambda number, rows: draw(0, rows)
    config = changed(steps=120, warmup=0, learning_rate=3e-2, weight_decay=0.0, validate_every=999, save_every=999)
    train(toy, config, tmp_path, on_step=lambda done, total, named: seen.append(named["total"]))
    assert seen[-1] < 0.03 * seen[0]


@pytest.mark.parametrize("stop", [10, 17])
def test_resumed_equals_uninterrupted_to_the_bit(tmp_path, stop):
    whole = train(Toy(), CONFIG, tmp_path / "whole")
    first = train(Toy(), CONFIG, tmp_path / "cut", stop_after=stop)
    assert (first.ended, first.step) == ("stopped", stop)
    torch.manual_seed(12345)
    resumed = train(Toy(), CONFIG, tmp_path / "cut")
    assert resumed.ended == "finished"
    assert same(whole, resumed)
    assert resumed.figures == whole.figures
    assert resumed.seconds > first.seconds


def test_finished_run_gives_its_weights_again(tmp_path):
    first = train(Toy(), CONFIG, tmp_path)
    again = train(Toy(), CONFIG, tmp_path)
    assert same(first, again)
    assert again.figures == first.figures


def test_seed_and_dropout_matter(tmp_path):
    first = train(Toy(), CONFIG, tmp_path / "a")
    assert not same(first, train(Toy(), changed(seed=4), tmp_path / "b"))
    assert not same(first, train(Toy(dropout=0.0), CONFIG, tmp_path / "c"))


def test_accumulated_pieces_equal_the_whole_batch(tmp_path):
    whole = train(Toy(dropout=0.0), CONFIG, tmp_path / "whole")
    for pieces in (2, 8):
        cut = train(Toy(dropout=0.0), changed(accumulate=pieces), tmp_path / str(pieces))
        for a, b in zip(whole.module.parameters(), cut.module.parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)
    half = train(Toy(dropout=0.0), changed(batch_size=8), tmp_path / "half")
    assert not torch.allclose(whole.module[0].weight, half.module[0].weight, atol=1e-4)


def test_only_the_latest_checkpoints_are_kept(tmp_path):
    train(Toy(), changed(save_every=5), tmp_path)
    assert [folder.name for folder in saved_states(tmp_path)] == ["step-0000030", "step-0000025"]
    assert not list(tmp_path.rglob("*.partial"))
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".pt", ".pkl", ".bin", ".pth")]


def test_damaged_checkpoint_is_left_out_for_the_one_before(tmp_path):
    whole = train(Toy(), CONFIG, tmp_path / "whole")
    train(Toy(), CONFIG, tmp_path / "cut", stop_after=20)
    (saved_states(tmp_path / "cut")[0] / "optimizer.safetensors").write_bytes(b"12")
    with pytest.warns(DeclaimWarning, match="earlier checkpoint"):
        resumed = train(Toy(), CONFIG, tmp_path / "cut")
    assert same(whole, resumed)


def test_signal_leaves_a_checkpoint_and_the_old_handlers(tmp_path):
    def on_step(done, total, named):
        if done == 13:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    cut = train(Toy(), CONFIG, tmp_path / "cut", on_step=on_step)
    assert (cut.ended, cut.step) == ("interrupted", 14)
    assert saved_states(tmp_path / "cut")[0].name == "step-0000014"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert same(train(Toy(), CONFIG, tmp_path / "cut"), train(Toy(), CONFIG, tmp_path / "whole"))


def test_nan_names_step_and_clip_and_keeps_the_last_good_step(tmp_path):
    good = train(Toy(), CONFIG, tmp_path / "good", stop_after=12)
    with pytest.raises(Diverged, match=r"step 13: the total loss is not a finite number.*clip-12-5; steps 1 to 12"):
        train(Toy(poisoned=(12, 5)), CONFIG, tmp_path / "run")
    assert saved_states(tmp_path / "run")[0].name == "step-0000012"
    kept = train(Toy(), CONFIG, tmp_path / "run", stop_after=12)
    assert same(kept, good)


def test_exploding_weights_name_the_whole_batch(tmp_path):
    toy = Toy()
    lose = toy.losses
    toy.losses = lambda module, batch, seeds: {"total": (lose(module, batch, seeds)["total"] * 1e30).sqrt() * 1e38}
    with pytest.raises(Diverged, match=r"step 1: .*clip-0-0, clip-0-1"):
        train(toy, CONFIG, tmp_path)


def test_best_weights_are_kept(tmp_path):
    toy = Toy()
    figures = iter([0.3, 0.9, 0.5])
    toy.validate = lambda module: {"agreement": next(figures)}
    config = changed(keep="best", best_by="agreement")
    best = train(toy, config, tmp_path / "run")
    assert (best.step, best.figures) == (20, {"agreement": 0.9})
    assert [p.name for p in (tmp_path / "run").glob("best-*")] == ["best-0000020"]
    assert not same(best, train(Toy(), CONFIG, tmp_path / "last"))
    least = Toy()
    falling = iter([0.3, 0.9, 0.5])
    least.validate = lambda module: {"error": next(falling)}
    assert train(least, changed(keep="best", best_by="-error"), tmp_path / "least").step == 10


def test_unknown_figure_is_named(tmp_path):
    with pytest.raises(ConfigError, match='best_by="lse" is no figure of this recipe; its figures: error'):
        train(Toy(), changed(keep="best", best_by="lse"), tmp_path)


def test_curves_hold_every_point_once_after_a_crash(tmp_path):
    train(Toy(), CONFIG, tmp_path / "whole")
    train(Toy(), CONFIG, tmp_path / "cut", stop_after=17)
    with (tmp_path / "cut" / "curves.jsonl").open("a") as file:  # a step after the checkpoint, and a torn line
        file.write(json.dumps({"step": 25, "loss/total": 9.0}) + '\n{"step": 3')
    train(Toy(), CONFIG, tmp_path / "cut")
    points = read_points(tmp_path / "cut" / "curves.jsonl")
    whole = read_points(tmp_path / "whole" / "curves.jsonl")
    assert [(p["step"], set(p)) for p in points] == [(p["step"], set(p)) for p in whole]
    assert [p["step"] for p in points] == [5, 10, 10, 15, 20, 20, 25, 30, 30]
    assert {"loss/total", "loss/size", "learning_rate", "gradient_norm"} < set(points[0])
    assert list((tmp_path / "cut" / "tensorboard").iterdir())


def test_mixed_precision_on_the_cpu(tmp_path):
    toy, kinds = Toy(), set()
    toy.module[2].register_forward_hook(lambda module, inputs, output: kinds.add(output.dtype))
    toy.validate = lambda module: {}
    mixed = train(toy, changed(precision="bf16"), tmp_path)
    assert kinds == {torch.bfloat16}
    assert {p.dtype for p in mixed.module.parameters()} == {torch.float32}
    assert {t.dtype for t in mixed.module.state_dict().values()} == {torch.float32}


def test_what_a_machine_cannot_do_is_one_sentence(tmp_path):
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="fp16"):
            train(Toy(), changed(precision="fp16"), tmp_path)
    with pytest.raises(ConfigError, match="must be a multiple of 3"):
        train(Toy(), changed(accumulate=3), tmp_path)


def test_every_row_is_dealt_once():
    class Processes:
        num_processes = 2

        def __init__(self, index):
            self.process_index = index

    dealt = [own_rows(Processes(i), changed(batch_size=8, accumulate=2)) for i in (0, 1)]
    assert dealt == [[range(0, 2), range(2, 4)], [range(4, 6), range(6, 8)]]


def test_row_seeds_depend_on_their_row_alone():
    whole = row_seeds(1, 5, range(8))
    assert torch.equal(whole[3:6], row_seeds(1, 5, range(3, 6)))
    assert len({*whole.tolist(), *row_seeds(1, 6, range(8)).tolist(), *row_seeds(2, 5, range(8)).tolist()}) == 24


def test_learning_rate_rises_and_falls():
    rates = [learning_rate(step, CONFIG) for step in range(30)]
    assert rates.index(max(rates)) in range(3, 7)
    assert rates[-1] < 0.02 * max(rates)


def test_moving_average_follows_and_lags():
    module = Toy(shift=1.0).module
    average = MovingAverage(module, 0.9)
    before = module[0].weight.detach().clone()
    with torch.no_grad():
        module[0].weight += 1.0
        module[1].running_mean += 2.0
    average.update(module, step=1000)
    torch.testing.assert_close(average.module[0].weight, before + 0.1)
    assert torch.equal(average.module[1].running_mean, module[1].running_mean)
    assert not average.module[0].weight.requires_grad


def test_weight_decay_spares_biases():
    groups = make_optimizer(Toy().module, CONFIG).param_groups
    assert [len(g["params"]) for g in groups] == [2, 2]
    assert groups[1]["weight_decay"] == 0.0


def test_other_networks_do_not_fit_a_checkpoint(tmp_path):
    train(Toy(), CONFIG, tmp_path, stop_after=5)
    other = Toy()
    other.module[2] = nn.Linear(8, 3)
    with pytest.raises(CheckpointError, match="do not fit"):
        train(other, CONFIG, tmp_path)


def test_accelerator_can_be_made_again_with_another_precision():
    assert make_accelerator(changed(precision="bf16")).mixed_precision == "bf16"
    assert make_accelerator(CONFIG).mixed_precision == "no"
