"""Writing binary glTF 2.0: arrays into one buffer, JSON in front of it.

Specification: Khronos, glTF 2.0, "GLB File Format Specification". Every accessor has a view of its own; arrays that are
mostly zero are stored sparse, all-zero ones not at all.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from declaim.pretrained import atomic_file

FLOAT, USHORT, UINT = 5126, 5123, 5125
VERTICES, INDICES = 34962, 34963
"""What a view is for: vertex attributes, or their order in triangles."""
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_DTYPES = {FLOAT: "<f4", USHORT: "<u2", UINT: "<u4"}
_MAGIC, _JSON, _BINARY = 0x46546C67, 0x4E4F534A, 0x004E4942


class Glb:
    """A glTF file while it is put together.

    Attributes:
        root: its JSON; add nodes, meshes and so on.
    """

    def __init__(self, asset: dict[str, Any]) -> None:
        self.root: dict[str, Any] = {"asset": {"version": "2.0", **asset}, "accessors": [], "bufferViews": []}
        self._binary = bytearray()

    def view(self, data: bytes, target: int | None = None) -> int:
        """Add bytes to the buffer; the number of their view."""
        self._binary.extend(b"\0" * (-len(self._binary) % 4))
        where = {"buffer": 0, "byteOffset": len(self._binary), "byteLength": len(data)}
        self._binary.extend(data)
        return self._add("bufferViews", where if target is None else where | {"target": target})

    def array(
        self, values: np.ndarray, kind: int = FLOAT, *, target: int | None = None, bounds: bool = False,
        normalized: bool = False, sparse: bool = False,
    ) -> int:  # fmt: skip
        """Add an array; the number of its accessor.

        Args:
            values: one row for each element; at most four columns.
            kind: component type: `FLOAT`, `USHORT` or `UINT`.
            target: what its view is for.
            bounds: also say least and greatest of every column (positions and times must).
            normalized: integers stand for shares of their greatest value.
            sparse: store the rows that are not zero alone.
        """
        rows = np.ascontiguousarray(values.reshape(len(values), -1), _DTYPES[kind])
        accessor = {"componentType": kind, "count": len(rows), "type": _TYPES[rows.shape[1]]}
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        moved = np.nonzero(rows.any(1))[0]
        if not sparse:
            accessor["bufferView"] = self.view(rows.tobytes(), target)
        elif len(moved):
            accessor["sparse"] = {
                "count": len(moved),
                "indices": {"bufferView": self.view(moved.astype(_DTYPES[USHORT]).tobytes()), "componentType": USHORT},
                "values": {"bufferView": self.view(rows[moved].tobytes())},
            }
        return self._add("accessors", accessor)

    def picture(self, png: bytes) -> int:
        """Add a picture; the number of its texture."""
        image = self._add("images", {"bufferView": self.view(png), "mimeType": "image/png"})
        return self._add("textures", {"source": image})

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            Unwritable: the folder does not exist or cannot be written.
        """
        self._binary.extend(b"\0" * (-len(self._binary) % 4))
        head = json.dumps(self.root | {"buffers": [{"byteLength": len(self._binary)}]}, separators=(",", ":")).encode()
        head += b" " * (-len(head) % 4)
        total = 12 + 8 + len(head) + 8 + len(self._binary)
        with atomic_file(path) as partial, partial.open("wb") as file:
            file.write(struct.pack("<3I", _MAGIC, 2, total))
            file.write(struct.pack("<2I", len(head), _JSON) + head)
            file.write(struct.pack("<2I", len(self._binary), _BINARY))
            file.write(self._binary)

    def _add(self, table: str, entry: dict[str, Any]) -> int:
        rows: list[dict[str, Any]] = self.root.setdefault(table, [])
        rows.append(entry)
        return len(rows) - 1
