import pytest
import torch

from declaim.audio.encoders import WhisperTinyEncoder
from declaim.errors import CheckpointError, ConfigError
from declaim.face.model import FaceModel
from declaim.face.track import track_motion
from declaim.face.tracker import FaceTracker
from declaim.media import read_audio, read_frames
from declaim.sync import SyncConfig, SyncExpert
from declaim.sync.config import tiny
from declaim.sync.pictures import MouthCuts, cut_mouths


@pytest.fixture
def expert():
    torch.manual_seed(0)
    return SyncExpert(tiny()).eval()


def test_embeddings_are_unit_vectors_of_windows(expert):
    assert expert.window == 10
    for embedded in (
        expert.embed_speech(torch.randn(3, 24, 12)),
        expert.embed_motion(torch.randn(3, 24, 70)),
        expert.embed_pictures(torch.randint(0, 256, (3, 24, 48, 80), dtype=torch.uint8)),
    ):
        assert embedded.shape == (3, 15, 8)
        torch.testing.assert_close(embedded.norm(dim=-1), torch.ones(3, 15))
    assert expert.embed_motion(torch.randn(24, 64)).shape == (15, 8)


def test_an_embedding_sees_its_window_and_no_more(expert):
    values = torch.randn(30, 64)
    changed = values.clone()
    changed[17] += 1.0
    moved = (expert.embed_motion(values) - expert.embed_motion(changed)).norm(dim=1) > 1e-6
    assert moved.nonzero()[:, 0].tolist() == list(range(8, 18))


def test_only_the_lips_are_judged(expert):
    values, basis = torch.randn(20, 70), expert.lip_basis
    other = values.clone()
    noise = torch.randn(20, 64)
    other[:, :64] += noise - noise @ basis @ basis.T
    other[:, 64:] += 1.0
    torch.testing.assert_close(expert.embed_motion(values), expert.embed_motion(other), atol=1e-5, rtol=1e-5)


def test_brightness_and_storage_of_pictures_do_not_matter(expert):
    pictures = torch.randint(40, 200, (12, 48, 80), dtype=torch.uint8)
    whole = expert.embed_pictures(pictures)
    torch.testing.assert_close(whole, expert.embed_pictures(pictures.float() / 255.0))
    torch.testing.assert_close(whole, expert.embed_pictures(pictures + 20), atol=1e-4, rtol=1e-4)


def test_gradients_reach_the_motion(expert):
    expert.requires_grad_(False)
    values = torch.randn(40, 70, requires_grad=True)
    speech = expert.embed_speech(torch.randn(40, 12))
    (1.0 - (speech * expert.embed_motion(values)).sum(-1)).mean().backward()
    assert bool((values.grad[:, :64].abs().sum(1) > 0).all())
    assert float(values.grad[:, 64:].abs().max()) == 0.0


def test_what_does_not_fit_is_refused(expert):
    with pytest.raises(ConfigError, match="12 features of test"):
        expert.embed_speech(torch.randn(20, 13))
    with pytest.raises(ConfigError, match="at least the 64"):
        expert.embed_motion(torch.randn(20, 10))
    with pytest.raises(ConfigError, match="9 frames are too few"):
        expert.embed_motion(torch.randn(9, 64))
    with pytest.raises(ConfigError, match="no picture head"):
        SyncExpert(SyncConfig(speech_dim=12)).embed_pictures(torch.zeros(20, 48, 80))


def test_saved_weights_come_back(expert, tmp_path):
    expert.half().float()
    expert.save_pretrained(tmp_path / "saved", "a card")
    again = SyncExpert.from_pretrained(tmp_path / "saved")
    assert again.config == expert.config
    features, values = torch.randn(60, 12), torch.randn(60, 70)
    assert torch.equal(again.embed_motion(values), expert.embed_motion(values))
    assert again.offset(features, values) == expert.offset(features, values)
    assert not any(p.requires_grad for p in again.parameters())
    (tmp_path / "saved" / "config.json").write_text('{"format_version": 1, "kind": "fd2talk"}')
    with pytest.raises(CheckpointError, match="expected a 'sync-expert'"):
        SyncExpert.from_pretrained(tmp_path / "saved")


def test_silence_is_left_out_where_speech_is_known(expert):
    features, values = torch.randn(80, 12), torch.randn(80, 70)
    speaking = torch.zeros(80, dtype=torch.bool)
    assert torch.equal(expert.curve(features, values, speaking=speaking), expert.curve(features, values))
    speaking[20:60] = True
    other = features.clone()
    other[70:] += 5.0  # heard by windows of silence alone
    assert torch.equal(
        expert.curve(features, values, speaking=speaking), expert.curve(other, values, speaking=speaking)
    )


def test_mouth_cut_is_upright_and_of_the_eyes_width():
    points = torch.zeros(30, 478, 3)
    points[:, 33], points[:, 263] = (
        torch.tensor([100.0, 100, 0]),
        torch.tensor([160.0, 180, 0]),
    )  # 100 px, tilted 53 deg
    points[:, 61], points[:, 291] = torch.tensor([90.0, 160, 0]), torch.tensor([110.0, 190, 0])
    cuts = MouthCuts.of(points)
    torch.testing.assert_close(cuts.centre[7], torch.tensor([100.0, 175.0]))
    assert float(cuts.width[3]) == pytest.approx(100.0)
    warp = torch.from_numpy(cuts.warp(5)).float()
    left, right = (warp @ torch.tensor([u, 20.62, 1.0]) for u in (-0.5, 79.5))
    torch.testing.assert_close(right - left, torch.tensor([60.0, 80.0]), atol=1e-3, rtol=0)


def test_frames_without_a_face_borrow_the_nearest_cut():
    points = torch.randn(20, 478, 3) * 0.01
    points[:, 263, 0] += 50.0
    valid = torch.ones(20, dtype=torch.bool)
    valid[12:] = False
    points[12:] = torch.nan
    assert bool(torch.isfinite(MouthCuts.of(points, valid).centre).all())
    with pytest.raises(ConfigError, match="no frame shows a face"):
        MouthCuts.of(points, torch.zeros(20, dtype=torch.bool))


@pytest.fixture(scope="module")
def clip(footage):
    """Features, motion and mouth pictures of a speaker that training never shows."""
    path = footage / "clips" / "grid-s30" / "001.mkv"
    with FaceTracker() as tracker:
        track = tracker.track(read_frames(path), face="largest")
    mouths = cut_mouths(read_frames(path), MouthCuts.of(track.points, track.valid))
    return (
        WhisperTinyEncoder().encode(read_audio(path)),
        track_motion(track, FaceModel.from_pretrained()).values,
        mouths,
    )


@pytest.mark.parametrize("late", [-5, -2, 0, 3, 5])
def test_shipped_weights_find_known_shifts(clip, late):
    features, values, _ = clip
    heard, seen = features[max(-late, 0) :], values[max(late, 0) :]  # cutting the picture's start makes it early
    n = min(len(heard), len(seen))
    found, confidence = SyncExpert.from_pretrained().offset(heard[:n], seen[:n])
    assert abs(found + late) <= 1
    assert confidence > 0.2


def test_shipped_picture_head_finds_the_offset(clip):
    expert = SyncExpert.from_pretrained()
    if not expert.config.picture_channels:
        pytest.fail("the shipped weights have no picture head")
    features, _, mouths = clip
    curve = expert.picture_curve(features[5:], mouths[: len(features) - 5])
    assert abs(int(curve.argmin()) - 15 - 5) <= 1
