"""The tracker's canonical face: its mesh, read out of the tracker's own asset."""

import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from declaim.errors import AssetError

_FILE = "geometry_pipeline_metadata_landmarks.binarypb"
_VERTEX_FLOATS = 5  # x, y, z and two texture coordinates
_N_VERTICES = 468
_MESH, _VERTICES, _INDICES = 1, 3, 4  # field numbers of the protocol buffers


def canonical_face(task: Path) -> tuple[Float[Tensor, "468 3"], Int[Tensor, "triangles 3"]]:
    """Points in cm (x to the viewer's right, y up, z toward the viewer) and triangles of the canonical face.

    Args:
        task: ``face_landmarker.task``, a zip archive.

    Raises:
        AssetError: the archive holds no such mesh.
    """
    try:
        with zipfile.ZipFile(task) as archive:
            metadata = archive.read(_FILE)
        mesh = next(value for field, value in _fields(metadata) if field == _MESH and isinstance(value, bytes))
        floats = [struct.unpack("<f", v)[0] for n, v in _fields(mesh) if n == _VERTICES and isinstance(v, bytes)]
        indices = [v for n, v in _fields(mesh) if n == _INDICES and isinstance(v, int)]
        points = torch.tensor(floats).reshape(_N_VERTICES, _VERTEX_FLOATS)[:, :3].contiguous()
        return points, torch.tensor(indices).reshape(-1, 3)
    except (OSError, KeyError, StopIteration, IndexError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
        raise AssetError(f"{task} holds no canonical face: is it the face landmarker? ({error})") from error


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protocol-buffer message: (number, integer or bytes)."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == 2:
            size, position = _varint(message, position)
        else:
            size = {1: 8, 5: 4}[kind]
        yield number, message[position : position + size]
        position += size


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
