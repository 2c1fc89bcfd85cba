import pytest

from declaim.errors import CheckpointError, ConfigError
from declaim.train.identity import claim_folder

RUN = {"recipe": "toy", "train.steps": 10, "train.save_every": 5, "data.tempos": (0.9, 1.1)}


def test_the_same_run_goes_on(tmp_path):
    claim_folder(tmp_path / "run", RUN)
    claim_folder(tmp_path / "run", RUN)
    claim_folder(tmp_path / "run", {**RUN, "train.save_every": 7})


def test_another_run_is_refused_by_name_and_values(tmp_path):
    claim_folder(tmp_path / "run", RUN)
    (tmp_path / "run" / "checkpoints").mkdir()
    with pytest.raises(ConfigError, match=r"train.steps=10 \(now 20\); choose another folder"):
        claim_folder(tmp_path / "run", {**RUN, "train.steps": 20})
    many = dict.fromkeys((*RUN, "new", "newer"), "x")
    with pytest.raises(ConfigError, match="and 2 other settings"):
        claim_folder(tmp_path / "run", many)
    claim_folder(tmp_path / "run", {**RUN, "train.steps": 20}, "force")
    claim_folder(tmp_path / "run", {**RUN, "train.steps": 20})
    with pytest.raises(ConfigError, match="holds a run already"):
        claim_folder(tmp_path / "run", {**RUN, "train.steps": 20}, "never")


def test_a_run_that_failed_before_it_began_stands_in_nobodys_way(tmp_path):
    claim_folder(tmp_path / "run", RUN)
    claim_folder(tmp_path / "run", {**RUN, "train.steps": 20}, "never")
    assert '"train.steps": 20' in (tmp_path / "run" / "run.json").read_text()


def test_other_folders_are_left_alone(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"precious")
    with pytest.raises(ConfigError, match="not empty and holds no run"):
        claim_folder(tmp_path, RUN)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{")
    (tmp_path / "run" / "checkpoints").mkdir()
    with pytest.raises(CheckpointError, match="damaged"):
        claim_folder(tmp_path / "run", RUN)


def test_processes_that_do_not_write_only_look(tmp_path):
    claim_folder(tmp_path / "run", RUN, write=False)
    assert not (tmp_path / "run").exists()
