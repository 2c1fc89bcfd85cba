"""Reader of CTranslate2's ``model.bin``: named tensors, little-endian, no code.

    u32 version | name of the spec | u32 revision | u32 number of tensors
    per tensor: name | u8 rank | u32 dims[rank] | u8 dtype | u32 bytes | data
    u32 number of aliases | per alias: name, name of the tensor
A name is a u16 length (the closing zero counted) and the bytes.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from declaim.errors import CheckpointError

_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_VERSION = 6


def _take(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise CheckpointError(f"{file.name} is truncated: delete it and fetch it again")
    return data


def _number(file: BinaryIO, code: str) -> int:
    return int(struct.unpack(f"<{code}", _take(file, struct.calcsize(f"<{code}")))[0])


def _name(file: BinaryIO) -> str:
    return _take(file, _number(file, "H"))[:-1].decode("utf-8")


def read_model(path: Path, prefix: str = "") -> dict[str, Tensor]:
    """The floating-point tensors of a CTranslate2 model whose names start with ``prefix``, in float32.

    Raises:
        CheckpointError: missing, truncated or of another format version.
    """
    tensors: dict[str, Tensor] = {}
    try:
        with Path(path).open("rb") as file:
            version = _number(file, "I")
            if version != _VERSION:
                raise CheckpointError(f"{path} has CTranslate2 format {version}, expected {_VERSION}")
            _name(file)
            _number(file, "I")
            for _ in range(_number(file, "I")):
                name, rank = _name(file), _number(file, "B")
                shape = tuple(_number(file, "I") for _ in range(rank))
                kind, size = _number(file, "B"), _number(file, "I")
                if not name.startswith(prefix) or kind not in (0, 4):
                    file.seek(size, 1)
                    continue
                values = np.frombuffer(_take(file, size), _DTYPES[kind]).astype(np.float32).reshape(shape)
                tensors[name] = torch.from_numpy(values)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    return tensors
