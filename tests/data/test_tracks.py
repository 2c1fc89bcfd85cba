import numpy as np
import pytest
import torch

from declaim.assets import locate
from declaim.data import tracks
from declaim.data.tracks import cached_track
from declaim.errors import AssetError, NoFace
from declaim.media import write_video
from declaim.types import Frames


@pytest.fixture
def video(tmp_path):
    try:
        locate("face-landmarker")
    except AssetError:
        pytest.skip("the face landmarker has not been pulled (declaim assets pull face-landmarker)")
    picture = pytest.importorskip("skimage.data").astronaut()
    path = tmp_path / "a.mp4"
    write_video(path, iter([Frames(np.stack([picture] * 3))]))
    return path


def test_a_video_is_tracked_once(video, tmp_path, monkeypatch):
    first = cached_track(video, tmp_path / "cache")
    monkeypatch.setattr(tracks, "FaceTracker", None)  # a second tracking would fail
    again = cached_track(video.rename(tmp_path / "b.mp4"), tmp_path / "cache")  # the content counts, not the name
    assert torch.equal(again.points, first.points)
    assert torch.equal(again.scores, first.scores)
    assert (again.size, again.fps, again.n_missing) == ((512, 512), 25, 0)


def test_nothing_is_kept_of_a_video_without_a_face(tmp_path, video):
    blank = tmp_path / "blank.mp4"
    write_video(blank, iter([Frames(np.zeros((3, 64, 64, 3), np.uint8))]))
    with pytest.raises(NoFace):
        cached_track(blank, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
