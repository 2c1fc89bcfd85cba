import zipfile

import pytest
import torch

from declaim.errors import AssetError
from declaim.face.canonical import canonical_face
from declaim.face.layouts import MIRROR


def test_canonical_face(task, model):
    points, triangles = canonical_face(task)
    assert points.shape == (468, 3)
    assert torch.equal(triangles, model.triangles)
    partner = points[list(MIRROR[:468])] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(partner, points)  # exactly symmetric
    assert (points - model.mean[:468]).norm(dim=1).mean() < 1.5  # cm: the mean face lives in its frame


@pytest.mark.parametrize("content", [None, b"", b"\x0a\x05ab"])
def test_other_archives_are_refused(tmp_path, content):
    path = tmp_path / "a.task"
    with zipfile.ZipFile(path, "w") as archive:
        if content is not None:
            archive.writestr("geometry_pipeline_metadata_landmarks.binarypb", content)
    with pytest.raises(AssetError, match=r"a\.task"):
        canonical_face(path)
