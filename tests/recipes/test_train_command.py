"""The real command on a real (made-up) corpus: killed, doubled, starved of disk, fed with nonsense."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from declaim.apps.cli.main import run
from declaim.data.corpus import Corpus, features_key
from declaim.methods.fd2talk import FD2Talk
from declaim.pretrained import load_tensors, save_tensors
from declaim.recipes import motion
from declaim.train.checkpoint import saved_states

from .conftest import ENCODER, write_corpus

TINY = ("--preset", "tiny", "-q")
WAIT_S = 280


def command(corpus: Path, output: Path, *more: str) -> list[str]:
    return ["train", "fd2talk", "--corpus", str(corpus), "-o", str(output), *TINY, *more]


def declaim(*arguments: str) -> None:
    """The command in this process."""
    try:
        run(list(arguments))
    except SystemExit as left:
        if left.code:
            raise


def refused(capsys, *arguments: str) -> str:
    """The one sentence with which the command refuses."""
    with pytest.raises(SystemExit) as left:
        run(list(arguments))
    assert left.value.code == 2
    return " ".join(capsys.readouterr().err.split())


@pytest.fixture
def spawn(tmp_path):
    """Starts a module in a process of its own; its errors go to a file."""
    started = []

    def start(*arguments: str, env=None, **options) -> subprocess.Popen:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **(env or {})}
        with (tmp_path / "errors.txt").open("a") as errors:
            command = [sys.executable, "-m", *arguments]
            started.append(subprocess.Popen(command, env=environment, stderr=errors, **options))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for_checkpoint(process: subprocess.Popen, output: Path) -> None:
    begun = time.monotonic()
    while not saved_states(output) and process.poll() is None and time.monotonic() - begun < WAIT_S:
        time.sleep(0.01)
    assert process.poll() is None, "it ended before it was killed"


def weights(output: Path) -> dict[str, torch.Tensor]:
    return load_tensors(output / "weights" / "model.safetensors")


def state(output: Path, name: str = "average") -> dict[str, torch.Tensor]:
    return load_tensors(saved_states(output)[0] / f"{name}.safetensors")


LONG = ("--set", "train.steps=30", "--set", "train.save_every=3", "--set", "method.expression.dropout=0.2",
        "--set", "method.expression.speech_noise=0.5")  # fmt: skip


def test_killed_run_goes_on_to_the_same_bits(little_corpus, tmp_path, spawn):
    declaim(*command(little_corpus, tmp_path / "whole", *LONG))
    cut = tmp_path / "cut"
    process = spawn("declaim", *command(little_corpus, cut, *LONG))
    wait_for_checkpoint(process, cut)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    step = int(saved_states(cut)[0].name.removeprefix("step-"))
    assert step < 30
    assert not (cut / "weights").exists()
    declaim(*command(little_corpus, cut, *LONG))
    for name in ("average", "weights", "optimizer"):
        whole, resumed = state(tmp_path / "whole", name), state(cut, name)
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[n], resumed[n]) for n in whole)
    assert all(torch.equal(value, weights(cut)[n]) for n, value in weights(tmp_path / "whole").items())


def test_terminated_run_writes_a_checkpoint(little_corpus, tmp_path, monkeypatch, capsys):
    read = motion.MotionTask.batch

    def terminate(self, number, rows):
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return read(self, number, rows)

    monkeypatch.setattr(motion.MotionTask, "batch", terminate)
    arguments = command(little_corpus, tmp_path / "run", "--set", "train.save_every=99")
    with pytest.raises(SystemExit) as left:
        run([a for a in arguments if a != "-q"])
    assert left.value.code == 130
    assert "interrupted after step 4; the same command goes on from there" in capsys.readouterr().err
    assert [folder.name for folder in saved_states(tmp_path / "run")] == ["step-0000004"]


def test_two_processes_equal_one_with_the_doubled_batch(little_corpus, tmp_path, spawn):
    steps = ("--set", "train.steps=3", "--set", "train.batch_size=8")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}  # as torchrun tells its processes
    both = [
        spawn("declaim", *command(little_corpus, tmp_path / "two", *steps), env={**meeting, "RANK": n, "LOCAL_RANK": n})
        for n in ("0", "1")
    ]
    declaim(*command(little_corpus, tmp_path / "one", *steps))
    declaim(*command(little_corpus, tmp_path / "pieces", *steps, "--set", "train.accumulate=2"))
    declaim(*command(little_corpus, tmp_path / "fewer", *steps[:2], "--set", "train.batch_size=4"))
    assert [process.wait(WAIT_S) for process in both] == [0, 0], (tmp_path / "errors.txt").read_text()[-3000:]
    assert "on 2 x CPU" in (tmp_path / "two" / "weights" / "README.md").read_text()
    one = state(tmp_path / "one", "weights")
    for name, same in (("two", True), ("pieces", True), ("fewer", False)):
        other = state(tmp_path / name, "weights")
        # keys' biases have no gradient but rounding, which Adam blows up to its own scale
        close = [torch.allclose(v, other[n], atol=2e-6, rtol=1e-4) for n, v in one.items() if "key_value.bias" not in n]
        assert all(close) is same, name


def test_weights_speak_and_their_card_tells_where_they_are_from(little_corpus, tmp_path, capsys):
    arguments = command(little_corpus, tmp_path / "my run", "--set", "data.hold_out=cem")
    declaim(*(a for a in arguments if a != "-q"))
    assert "mouth_correlation" in capsys.readouterr().err
    folder = tmp_path / "my run" / "weights"
    motion = FD2Talk.from_pretrained(folder).generate_from_features([torch.randn(40, 772)], 40)
    assert motion.values.shape == (40, 70)
    card = (folder / "README.md").read_text()
    assert "--corpus 'little corpus' -o 'my run' --preset tiny --set data.hold_out=cem`, seed 0" in card
    assert "2 speakers, 4 clips, 0.2 minutes" in card
    assert "| CC BY 4.0 | 2 | 4 | 0.2 |" in card
    assert "| mouth_correlation |" in card
    assert str(tmp_path) not in card
    points = [json.loads(line) for line in (tmp_path / "my run" / "curves.jsonl").read_text().splitlines()]
    assert [p["step"] for p in points if "validation/mouth_correlation" in p] == [3, 6]
    assert (tmp_path / "my run" / "curves.png").is_file()
    stamp = (folder / "model.safetensors").read_bytes()
    declaim(*command(little_corpus, tmp_path / "my run", "--set", "data.hold_out=cem"))
    assert (folder / "model.safetensors").read_bytes() == stamp


def test_nan_in_a_file_is_named_before_training(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "bad")
    record = next(clip for clip in Corpus(corpus).clips if clip.name == "ben_1")
    path = Corpus(corpus).path(record, features_key(ENCODER))
    broken = load_tensors(path)["features"]
    broken[30] = torch.nan
    save_tensors(path, {"features": broken})
    sentence = refused(capsys, *command(corpus, tmp_path / "run"))
    assert "the features of clip ben_1" in sentence
    assert not (tmp_path / "run" / "weights").exists()


def test_nan_that_appears_while_training_is_traced_to_its_clip(little_corpus, tmp_path, monkeypatch, capsys):
    """As a decoder's glitch would: the clip was sound when it was read."""
    read = motion.MotionTask.batch

    def glitch(self, number, rows):
        batch = read(self, number, rows)
        for i, name in enumerate(self.names(number, rows)):
            batch["features"][i, 3] = torch.nan if name == "ben_1" and number >= 2 else batch["features"][i, 3]
        return batch

    monkeypatch.setattr(motion.MotionTask, "batch", glitch)
    output = tmp_path / "run"
    sentence = refused(capsys, *command(little_corpus, output, "--set", "train.batch_size=16"))
    assert (
        "step 3: the expression loss is not a finite number, in a batch with ben_1; steps 1 to 2 are kept" in sentence
    )
    assert saved_states(output)[0].name == "step-0000002"
    assert all(bool(value.isfinite().all()) for value in state(output, "weights").values())


def test_full_disk_keeps_what_was_there(little_corpus, tmp_path, capsys):
    """A limit of file size fails writes in the middle for real, as a full disk does."""
    output = tmp_path / "run"
    declaim(*command(little_corpus, output, "--stop-after", "2"))
    before = {p: p.read_bytes() for p in (output / "checkpoints").rglob("*") if p.is_file()}
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, most))
    try:
        with pytest.raises(SystemExit) as left:
            run(command(little_corpus, output))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert left.value.code == 3
    assert "free some space" in " ".join(capsys.readouterr().err.split())
    assert {p: p.read_bytes() for p in (output / "checkpoints").rglob("*") if p.is_file()} == before
    declaim(*command(little_corpus, output))
    assert (output / "weights").is_dir()


def test_mistakes_are_one_sentence(little_corpus, tmp_path, capsys):
    output = tmp_path / "run"
    assert "there is no recipe 'fd3talk'" in refused(capsys, "train", "fd3talk", "--corpus", "c", "-o", "r")
    assert "fd2talk" in refused(capsys, "train", "fd3talk", "--corpus", "c", "-o", "r")
    sentence = refused(capsys, *command(little_corpus, output, "--set", "train.stepz=3"))
    assert "did you mean train.steps" in sentence
    assert "has no preset 'big'; it has: default" in refused(capsys, "train", "fd2talk", "--preset", "big")
    assert "--corpus and --output are needed" in refused(capsys, "train", "fd2talk")
    assert "is no corpus" in refused(capsys, *command(tmp_path, output))
    assert "names dora" in refused(capsys, *command(little_corpus, output, "--set", "data.hold_out=dora"))
    wide = refused(capsys, *command(little_corpus, output, "--set", "method.speech_dim=700"))
    assert "wide, and the setting speech_dim says 700" in wide
    assert not (output / "weights").exists()


def test_corpus_of_another_version_is_refused(tmp_path, capsys):
    corpus = write_corpus(tmp_path / "old", 1)
    info = json.loads((corpus / "corpus.json").read_text())
    (corpus / "corpus.json").write_text(json.dumps({**info, "format_version": 0}))
    assert "is a corpus of version 0" in refused(capsys, *command(corpus, tmp_path / "run"))


def test_run_with_other_settings_is_refused(little_corpus, tmp_path, capsys):
    output = tmp_path / "run"
    declaim(*command(little_corpus, output, "--stop-after", "2"))
    sentence = refused(capsys, *command(little_corpus, output, "--set", "train.learning_rate=0.5"))
    assert "train.learning_rate=0.0015 (now 0.5)" in sentence
    assert "holds a run already" in refused(capsys, *command(little_corpus, output, "--resume", "never"))
    other = write_corpus(tmp_path / "other", 1)
    assert "corpus=" in refused(capsys, *command(other, output))
    declaim(*command(little_corpus, output, "--set", "train.learning_rate=0.5", "--resume", "force"))
    assert int(saved_states(output)[0].name.removeprefix("step-")) == 6


def test_settings_are_listed(capsys):
    declaim("train", "fd2talk", "--settings")
    listed = capsys.readouterr().out
    assert "train.steps" in listed
    assert "Optimiser steps." in listed
