"""FD2Talk's recipe: the lip expert, the paper's ablations, its preset."""

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from declaim.data.corpus import CLIPS_FILE, Corpus, file_entry, write_lines
from declaim.data.prepare.options import PrepareOptions
from declaim.data.prepare.stages import encoder_named, make_sound, sound_keys, stage_file
from declaim.errors import ConfigError
from declaim.methods.fd2talk import FD2Talk
from declaim.recipes.fd2talk import RECIPE, lip_expert
from declaim.recipes.overrides import overridden
from declaim.recipes.run import run_recipe
from declaim.recipes.sync_expert import RECIPE as SYNC_EXPERT
from declaim.sync import SyncExpert
from declaim.sync.config import tiny as tiny_expert
from declaim.types import Speech

from .conftest import FRAMES, write_corpus

TINY = RECIPE.presets["tiny"]


@pytest.mark.parametrize(
    ("preset", "changed"),
    [("joint", {"joint", "expression"}), ("no-mask", {"band"}), ("no-lip-expert", {"sync_weight"})],
)
def test_an_ablation_changes_one_thing(preset, changed):
    base, other = RECIPE.presets["default"], RECIPE.presets[f"ablation-{preset}"]
    assert (other.train, other.data) == (base.train, base.data)
    mine, theirs = base.method.model_dump(), other.method.model_dump()
    assert {name for name in mine if mine[name] != theirs[name]} <= changed


def test_the_joint_transformer_is_as_large_as_the_two():
    two, one = (FD2Talk(RECIPE.presets[name].method) for name in ("default", "ablation-joint"))
    two, one = (sum(p.numel() for p in method.parameters()) for method in (two, one))
    assert one == pytest.approx(two, rel=0.01)


def test_training_with_the_lip_expert_saves_the_method_alone(little_corpus, tmp_path):
    settings = overridden(TINY, ["method.sync_weight=0.5", "train.steps=2"])
    outcome = run_recipe(RECIPE, settings, little_corpus, tmp_path / "run", command="test")
    trained = FD2Talk.from_pretrained(outcome.weights)
    assert trained.config.sync_weight == 0.5
    assert set(trained.state_dict()) == set(FD2Talk(settings.method).state_dict())
    curves = (tmp_path / "run" / "curves.jsonl").read_text()
    assert "loss/sync" in curves


def test_no_weight_no_expert():
    assert lip_expert(overridden(TINY, ["data.lip_expert=/nowhere"])) is None


def test_an_expert_of_another_encoder_is_refused(tmp_path):
    SyncExpert(tiny_expert(32)).save_pretrained(tmp_path / "expert")
    named = [f"data.lip_expert={tmp_path / 'expert'}", "method.sync_weight=1"]
    with pytest.raises(ConfigError, match=r"hears test, the method whisper-tiny\.en; train one for it"):
        lip_expert(overridden(TINY, named))
    fitting = overridden(TINY, [*named, "method.encoder=test", "method.speech_dim=32"])
    assert lip_expert(fitting) is not None
    with pytest.raises(ConfigError, match=r"method\.frames is 9, fewer than the 10"):
        lip_expert(overridden(fitting, ["method.frames=9"]))


def test_the_papers_preset_asks_for_an_expert_that_hears_wav2vec(little_corpus):
    with pytest.raises(ConfigError, match=r"train sync-expert --set network\.encoder=wav2vec2-base"):
        RECIPE.task(Corpus(little_corpus), RECIPE.presets["paper"])


@pytest.fixture
def wav2vec2(tmp_path, monkeypatch):
    """A random wav2vec 2.0 of the real width where the user would put the real one."""
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "assets" / "wav2vec2-base"
    torch.manual_seed(0)
    small = Wav2Vec2Config(num_hidden_layers=1, intermediate_size=16, conv_dim=(8,) * 7, num_conv_pos_embeddings=16)
    Wav2Vec2Model(small).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    encoder_named.cache_clear()
    yield PrepareOptions(encoder="wav2vec2-base")
    encoder_named.cache_clear()


def hum(seed):
    noise = torch.randn(FRAMES * 640, generator=torch.Generator().manual_seed(seed))
    return Speech(0.1 * noise, 16000)


def test_the_papers_settings_train_and_speak_from_prepared_sound_to_motion(wav2vec2, tmp_path):
    """Every setting but the sizes, the steps and the sync of made-up clips is the paper's."""
    folder, heard = write_corpus(tmp_path / "corpus"), []
    for i, record in enumerate(Corpus(folder).select(("train",))):
        own = folder / "clips" / record.name
        make_sound(own, lambda i=i: hum(i), 0, FRAMES, wav2vec2)
        files = {key: file_entry(folder, stage_file(own, key)) for key in sound_keys(wav2vec2)}
        heard.append(record.model_copy(update={"files": {**record.files, **files}}))
    write_lines(folder / CLIPS_FILE, heard)
    hearing = ["network.encoder=wav2vec2-base", "network.speech_dim=768"]
    expert = run_recipe(
        SYNC_EXPERT, overridden(SYNC_EXPERT.presets["tiny"], [*hearing, "train.steps=2"]), folder, tmp_path / "expert",
        command="test",
    )  # fmt: skip
    small = [f"method.{part}.{size}" for part in ("expression", "pose") for size in ("dim=16", "heads=2", "layers=1")]
    small.append("method.sampling_steps=2")
    settings = overridden(
        RECIPE.presets["paper"], [*small, f"data.lip_expert={expert.weights}", "train.steps=2", "data.sync=none"]
    )
    outcome = run_recipe(RECIPE, settings, folder, tmp_path / "run", command="test")
    assert "loss/sync" in (tmp_path / "run" / "curves.jsonl").read_text()
    method = FD2Talk.from_pretrained(outcome.weights)
    motion = method.generate(hum(9), steps=2)
    assert method.encoder.name == "wav2vec2-base"
    assert len(motion) == FRAMES
    assert bool(motion.values.isfinite().all())
