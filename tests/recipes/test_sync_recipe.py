import numpy as np
import pytest
import torch

from declaim.data.corpus import CLIPS_FILE, ClipRecord, Corpus, file_entry, read_lines
from declaim.errors import ConfigError
from declaim.media import write_video
from declaim.pretrained import save_tensors
from declaim.recipes import sync_material
from declaim.recipes.sync_expert import RECIPE, SyncSettings, SyncTask
from declaim.recipes.sync_figures import Judged, by_speaker, figures, intervals
from declaim.recipes.sync_material import Material, SyncChanges, SyncSampler, read_mouths
from declaim.sync.config import tiny
from declaim.sync.expert import SyncExpert
from declaim.sync.objective import contrastive
from declaim.sync.offsets import distance_curve
from declaim.types import Frames


@pytest.fixture(scope="module")
def task(little_corpus):
    return RECIPE.task(Corpus(little_corpus), RECIPE.presets["tiny"])


def test_rows_do_not_know_of_each_other(task):
    whole = task.batch(3, range(4))
    parts = [task.batch(3, range(2)), task.batch(3, range(2, 4))]
    for name, rows in whole.items():
        assert torch.equal(rows, torch.cat([part[name] for part in parts]))
    seeds = torch.arange(4)
    task.module.eval()
    together = task.losses(task.module, whole, seeds)["total"]
    apart = [task.losses(task.module, part, seeds[:2])["total"] for part in parts]
    torch.testing.assert_close(together, torch.stack(apart).mean())
    assert not torch.equal(task.batch(4, range(2))["values"], whole["values"][:2])
    assert all(name.split("_")[0] in ("ann", "ben", "cem") for name in task.names(3, range(4)))


def test_one_batch_is_learnt_by_heart_and_saved(task, tmp_path):
    torch.manual_seed(0)
    expert = SyncExpert(task.module.config, task.module.lip_basis)
    batch, seeds = task.batch(0, range(4)), torch.arange(4)
    optimizer = torch.optim.AdamW(expert.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = task.losses(expert.train(), batch, seeds)["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]
    task.save(expert, tmp_path / "weights", "made by a test")
    assert "made by a test" in (tmp_path / "weights" / "README.md").read_text()
    assert SyncExpert.from_pretrained(tmp_path / "weights").config == expert.config


def test_speakers_can_be_held_out(little_corpus):
    tiny_settings = RECIPE.presets["tiny"]
    settings = tiny_settings.model_copy(update={"data": tiny_settings.data.model_copy(update={"hold_out": ("cem",)})})
    corpus = Corpus(little_corpus)
    for clip in corpus.clips:  # the made-up corpus has no activity
        path = corpus.folder / "clips" / clip.name / "activity.safetensors"
        save_tensors(path, {"speaking": torch.ones(clip.frames, dtype=torch.bool)})
        clip.files["activity"] = file_entry(corpus.folder, path)
    task = RECIPE.task(corpus, settings)
    found = task.validate(task.module.eval())
    assert {"motion_pair", "motion_equal", "motion_pair_speech"} <= set(found)  # clips of 64 frames hold no 3 s
    assert 0.0 <= found["motion_pair"] <= 1.0


def test_a_picture_head_needs_pictures(little_corpus):
    settings = RECIPE.presets["tiny"]
    wanted = settings.model_copy(
        update={
            "network": settings.network.model_copy(update={"picture_channels": (4, 4, 4)}),
            "data": settings.data.model_copy(update={"pictures": 0.5}),
        }
    )
    with pytest.raises(ConfigError, match="no pictures"):
        RECIPE.task(Corpus(little_corpus), wanted)


def made_up_task(share=0.5):
    torch.manual_seed(0)
    expert, clips = SyncExpert(tiny()), []
    for name in ("ann", "ben"):
        mouths = torch.randint(0, 256, (60, 48, 80), dtype=torch.uint8)
        values = torch.randn(60, 64)
        clips.append(
            Material(name, name, torch.randn(60, 12), values, values, torch.ones(60).bool(), mouths, torch.arange(60))
        )
    sampler = SyncSampler(clips, 40, 10, SyncChanges(), share=share, lip_basis=expert.lip_basis,
                          lip_std=expert.lip_std, seed=0)  # fmt: skip
    settings = SyncSettings(network=tiny())
    return SyncTask(expert, sampler, [(clips[0], torch.ones(60).bool())], settings, [])


def test_pictures_teach_their_own_head_alone():
    task = made_up_task()
    losses = task.losses(task.module, task.batch(0, range(8)), torch.arange(8))
    losses["pictures"].backward()
    learnt = {name.split(".")[0] for name, p in task.module.named_parameters() if p.grad is not None}
    assert learnt == {"reader", "pictures"}
    assert {name.split("_")[0] for name in task.validate(task.module.eval())} == {"motion", "pictures"}


def test_rows_without_pictures_do_not_count():
    task = made_up_task()
    batch = dict(task.batch(0, range(8)))
    task.module.eval()
    before = task.losses(task.module, batch, torch.arange(8))["pictures"]
    assert 0 < int(batch["shows"].sum()) < 8
    batch["pictures"] = torch.where(batch["shows"][:, None, None, None], batch["pictures"], 7.0)
    torch.testing.assert_close(task.losses(task.module, batch, torch.arange(8))["pictures"], before)


def test_loss_of_perfect_and_of_useless_embeddings():
    counts = torch.ones(2, 40, dtype=torch.bool)
    perfect = torch.eye(40).expand(2, 40, 40)
    assert float(contrastive(perfect, perfect, counts, torch.tensor(50.0)).max()) < 1e-3
    useless = torch.ones(2, 40, 4) / 2
    ends = [min(t, 15) + min(39 - t, 15) - (t > 0) - (t < 39) + 1 for t in range(40)]  # windows in reach, but near ones
    expected = float(torch.tensor(ends).log().mean())
    assert float(contrastive(useless, useless, counts, torch.tensor(50.0))[0]) == pytest.approx(expected, rel=1e-5)


def unit(rows, dim, seed):
    return torch.nn.functional.normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_curve_of_a_part_is_the_curve_of_what_was_cut_out():
    speech, seen = unit(120, 8, 0), unit(120, 8, 1)
    always = torch.ones(129, dtype=torch.bool)
    part = Judged.of("ann", (speech, seen), always, always).curve(20, -4, 70)
    torch.testing.assert_close(part.float(), distance_curve(speech[20:90], seen[16:86]))


@pytest.mark.parametrize("late", [0, 3])
def test_figures_of_a_judge_who_knows(late):
    speech = unit(200, 32, 0)
    always = torch.ones(209, dtype=torch.bool)
    clips = [Judged.of("ann", (speech, speech.roll(late, 0)), always, always)]
    found = figures(clips)
    assert by_speaker(clips)["ann"]["own_offset"] == late
    assert found["found"] == found["found_speech"] == 1.0
    assert figures(clips, [late + 4])["found"] == 0.0
    assert found["found_zero"] == pytest.approx(1.0 if late == 0 else 0.0)
    assert found["pair"] == pytest.approx(1.0)
    assert found["equal"] > 0.99


def test_figures_of_a_judge_who_does_not():
    always = torch.ones(309, dtype=torch.bool)
    clips = [Judged.of(f"s{i}", (unit(300, 8, i), unit(300, 8, 100 + i)), always, always) for i in range(4)]
    found = figures(clips)
    assert 0.4 < found["pair"] < 0.6
    assert 0.4 < found["equal"] < 0.6
    assert figures(clips, [0] * 4)["found"] < 0.5
    low, high = intervals(by_speaker(clips))["pair"]
    assert low <= found["pair"] <= high


def test_mouths_are_cut_from_the_corpus_and_kept(little_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(sync_material, "cache_folder", lambda: tmp_path)
    clip = read_lines(little_corpus / CLIPS_FILE, ClipRecord)[0]
    folder = little_corpus / "clips" / clip.name
    image = np.full((256, 256, 3), 60, np.uint8)
    image[140:160, 108:148] = 220  # a mouth around (128, 150): in the source at (100 + 2 * 128, 50 + 2 * 150)
    write_video(folder / "picture.mp4", [Frames(np.repeat(image[None], clip.frames, 0))])
    points = torch.zeros(clip.frames, 478, 3)
    points[:, 61, :2], points[:, 291, :2] = torch.tensor([316.0, 350.0]), torch.tensor([396.0, 350.0])
    points[:, 33, :2], points[:, 263, :2] = torch.tensor([276.0, 250.0]), torch.tensor([436.0, 250.0])
    save_tensors(folder / "track.safetensors", {
        "points": points, "scores": torch.zeros(clip.frames, 52), "valid": torch.ones(clip.frames).bool(),
        "size": torch.tensor([640, 480]),
    })  # fmt: skip
    for key in ("picture.mp4", "track.safetensors"):
        clip.files[key.split(".")[0]] = file_entry(little_corpus, folder / key)
    shown = clip.model_copy(update={"crop_box": (100.0, 50.0, 512.0)})
    corpus = Corpus(little_corpus)
    pictures = read_mouths(corpus, shown)
    assert pictures.shape == (clip.frames, 48, 80)
    bright = (pictures[10] > 140).nonzero().float().mean(0)
    torch.testing.assert_close(bright, torch.tensor([0.44 * 48, 39.5]), atol=1.0, rtol=0)
    assert (pictures[10] > 140).sum() == pytest.approx(20 * 40, rel=0.1)
    (folder / "picture.mp4").unlink()
    assert torch.equal(read_mouths(corpus, shown), pictures)
    for name in ("picture.mp4", "track.safetensors"):
        (folder / name).unlink(missing_ok=True)
