import warnings

import cv2
import numpy as np
import pytest
import torch

from declaim.errors import AssetError, ConfigError, DeclaimWarning, ManyFaces, NoFace
from declaim.face.faces import TrackedFace, choose_face
from declaim.face.layouts import LEFT_EYE, NOSE_TIP, RIGHT_EYE, TRACKER_SCORES
from declaim.face.quiet import without_chatter
from declaim.face.tracker import FaceTracker, track_motion
from declaim.media import read_frames
from declaim.types import Frames


def face(height, left=0.0, yaw=0.0):
    points = torch.zeros(478, 3)
    points[1, :2] = torch.tensor([left + 0.8 * height, height])
    points[0, 0] = left
    points[2:, :2] = points[1, :2] / 2
    points[2:, 0] = left + 0.4 * height
    return TrackedFace(points, torch.zeros(52), (640, 480), yaw, (0, 0, 640, 480))


def film(*images):
    yield Frames(np.stack(images))


def side_by_side(astronaut, first=256, second=256):
    """Two copies of one person, ``first`` and ``second`` pixels wide, side by side on grey."""
    canvas = np.full((512, 1024, 3), 128, np.uint8)
    head = astronaut[:256, 96:352]
    for left, side in ((128, first), (640, second)):
        canvas[128 : 128 + side, left : left + side] = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    return canvas


def test_a_portrait_is_found(tracker, astronaut):
    found = tracker.portrait_face(astronaut)
    assert found.points.shape == (478, 3)
    assert found.size == (512, 512)
    left, top, right, bottom = found.box
    assert 150 < left < 200 < right < 300
    assert 50 < top < 100 < bottom < 200
    assert abs(found.yaw) < 0.35
    smile = found.scores[[TRACKER_SCORES.index("mouthSmileLeft"), TRACKER_SCORES.index("mouthSmileRight")]]
    assert (smile > 0.4).all()  # she smiles


def test_left_and_right_are_the_persons_own(tracker, astronaut):
    points = tracker.portrait_face(astronaut).points
    assert points[list(LEFT_EYE), 0].mean() > points[NOSE_TIP, 0] > points[list(RIGHT_EYE), 0].mean()
    lid = points[list(LEFT_EYE), :2]
    darkened = astronaut.copy()
    cv2.fillConvexPoly(darkened, lid.numpy().astype(np.int32), (196, 150, 130))  # her left eye painted over as a lid
    scores = tracker.portrait_face(darkened).scores
    left, right = scores[TRACKER_SCORES.index("eyeBlinkLeft")], scores[TRACKER_SCORES.index("eyeBlinkRight")]
    assert left > right + 0.05


@pytest.mark.parametrize("degrees", [-30, 25])
def test_tilted_heads_are_found(tracker, model, astronaut, degrees):
    turn = cv2.getRotationMatrix2D((224, 128), degrees, 1.0)
    tilted = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    rolls = [
        model.pose_free(tracker.portrait_face(image).points, (512, 512))[1].rotation[2] for image in (astronaut, tilted)
    ]
    assert float(rolls[1] - rolls[0]) == pytest.approx(np.radians(degrees), abs=0.06)


def test_small_faces_in_large_pictures_are_found(tracker, astronaut):
    canvas = np.full((2000, 3000, 3), 90, np.uint8)
    canvas[300:812, 2300:2812] = astronaut
    left, top, right, bottom = tracker.portrait_face(canvas).box
    assert 2300 < left < right < 2812
    assert 300 < top < bottom < 812


def test_no_face(tracker):
    with pytest.raises(NoFace, match="no face"):
        tracker.portrait_face(np.full((300, 300, 3), 128, np.uint8))


def test_too_small_a_face(tracker, astronaut):
    small = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    with pytest.raises(NoFace, match=r"pixels high, at least 64"):
        tracker.portrait_face(small)


def test_several_faces_need_a_choice(tracker, astronaut):
    two = side_by_side(astronaut)
    assert len(tracker.detect(two)) == 2
    with pytest.raises(ManyFaces, match="--face"):
        tracker.portrait_face(two)
    assert tracker.portrait_face(two, 0).box[2] < 512 < tracker.portrait_face(two, 1).box[0]
    with pytest.raises(ConfigError, match="2 faces"):
        tracker.portrait_face(two, 2)


def test_largest_face(tracker, astronaut):
    assert tracker.portrait_face(side_by_side(astronaut, 200, 320), "largest").box[0] > 512
    assert tracker.portrait_face(side_by_side(astronaut, 320, 200), "largest").box[2] < 512


def test_a_bystander_is_no_rival():
    assert choose_face([face(50), face(200, 300)]) == 1
    with pytest.raises(ManyFaces):
        choose_face([face(150), face(200, 300)])
    with pytest.raises(ConfigError, match="largest"):
        choose_face([face(100)], "tallest")
    with pytest.raises(ConfigError):
        choose_face([face(100)], -1)


def test_profiles_are_warned_of(tracker, astronaut, monkeypatch):
    from dataclasses import replace

    seen = tracker.portrait_face(astronaut)
    turned = replace(seen, yaw=0.8)
    monkeypatch.setattr(tracker, "detect", lambda image: [turned])
    monkeypatch.setattr(tracker, "_settled", lambda image, chosen: chosen)
    with pytest.warns(DeclaimWarning, match="46 degrees"):
        tracker.portrait_face(astronaut)


def test_frontal_faces_are_not_warned_of(tracker, astronaut):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker.portrait_face(astronaut)


def test_pictures_cut_out_of_larger_ones_work(tracker, astronaut):
    """Rows with gaps between them (strides) must not reach MediaPipe as they are."""
    wide = np.zeros((512, 700, 3), np.uint8)
    wide[:, 100:612] = astronaut
    view = wide[:, 100:612]
    assert not view.flags["C_CONTIGUOUS"]
    assert torch.equal(tracker.detect(view)[0].points, tracker.detect(astronaut)[0].points)


def test_gaps_in_a_video_are_bridged(tracker, model, astronaut):
    blank = np.zeros_like(astronaut)
    track = tracker.track(film(blank, blank, *[astronaut] * 6, blank, blank, blank, *[astronaut] * 6))
    assert track.valid.tolist() == [False] * 2 + [True] * 6 + [False] * 3 + [True] * 6
    assert (track.n_missing, track.longest_gap) == (5, 3)
    assert torch.isfinite(track.points).all()
    assert (track.points - track.points[4]).abs().max() < 6
    motion = track_motion(track, model)
    assert torch.isfinite(motion.values).all()
    assert motion.arkit is not None


def test_a_video_without_a_face(tracker):
    with pytest.raises(NoFace, match="any of the 3 frames"):
        tracker.track(film(*[np.zeros((200, 200, 3), np.uint8)] * 3))


def test_an_empty_video(tracker):
    with pytest.raises(NoFace):
        tracker.track(iter(()))


def test_the_chosen_face_is_followed(tracker, astronaut):
    """Two faces cross the picture together; each choice stays with its own, though the other one is larger."""
    frames = [np.roll(side_by_side(astronaut, 240, 320), 24 * k, axis=1) for k in range(8)]
    for choice, low in ((0, 128), (1, 640)):
        track = tracker.track(film(*frames), face=choice)
        assert track.valid.all()
        x = track.points[:, NOSE_TIP, 0]
        assert low < x[0] < low + 320
        assert float(x[-1] - x[0]) == pytest.approx(168, abs=5)
    with pytest.raises(ManyFaces):
        tracker.track(film(*frames))


def test_tracking_is_the_same_every_time(tracker, astronaut):
    frames = [np.roll(astronaut, k, axis=1) for k in range(5)]
    a, b = (tracker.track(film(*frames)) for _ in range(2))
    assert torch.equal(a.points, b.points)
    assert torch.equal(a.scores, b.scores)


def test_progress_is_told(tracker, astronaut):
    seen = []
    tracker.track(film(*[astronaut] * 3), on_step=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 0), (2, 0), (3, 0)]


def test_a_video_360_pixels_wide(tracker, model, footage):
    """Widths that are no multiple of the decoder's alignment come with padded rows."""
    clip = sorted((footage / "clips" / "grid-s2").glob("*.mkv"))[0]
    track = tracker.track(read_frames(clip))
    assert track.size == (360, 288)
    assert track.n_missing == 0
    motion = track_motion(track, model)
    assert len(motion) == len(track)
    assert motion["rotation"].abs().max() < 0.6
    assert -60 < motion["translation"][:, 2].mean() < -10
    assert 0.05 < motion["expression"].std() < 3


def test_a_missing_asset_is_named(monkeypatch, tmp_path, astronaut):
    monkeypatch.setenv("DECLAIM_HOME", str(tmp_path))
    with FaceTracker() as tracker, pytest.raises(AssetError, match="face-landmarker"):
        tracker.detect(astronaut)


def test_start_up_is_silent(task, astronaut, capfd):
    with FaceTracker() as tracker:
        tracker.detect(astronaut)
        tracker.track(film(astronaut))
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_other_messages_and_all_messages_of_failures_get_through(capfd):
    import os

    with without_chatter():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nsomething else\n")
    assert capfd.readouterr().err == "something else\n"
    with pytest.raises(RuntimeError), without_chatter():
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n")
        raise RuntimeError
    assert "XNNPACK" in capfd.readouterr().err
