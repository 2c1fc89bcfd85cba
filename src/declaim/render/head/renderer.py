"""A motion as a shaded head in three dimensions, drawn on the CPU."""

from collections.abc import Iterator
from functools import cached_property

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from declaim.face.head3d import PARTS, Head3D
from declaim.face.head3d_look import eye_coordinates, eye_picture, linear, normals, vertex_colours
from declaim.face.head3d_motion import head_motion
from declaim.face.motion_file import PoseOrigin
from declaim.render.head.shade import encoded, shade
from declaim.render.raster import rasterise
from declaim.types import Frames, Motion


class HeadRendererConfig(BaseModel):
    """How the head is drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(512, ge=16, le=4096)
    """Width and height of the picture in pixels; even."""
    height_cm: float = Field(36.0, gt=0.0)
    """How much of the world the picture shows."""
    middle_cm: float = -1.5
    """Height in head space that lies in the picture's middle."""
    background: tuple[int, int, int] = (58, 62, 68)
    """RGB."""
    oversampling: int = Field(2, ge=1, le=4)
    """Pixels drawn along each side of a pixel of the result."""
    frames_per_run: int = Field(25, ge=1)
    """Frames that are yielded together; changes memory, not the picture."""


class HeadRenderer:
    """Draws motions on the head that ships with declaim, seen from the front without perspective.

    Args:
        config: settings.
        head: another head.
    """

    def __init__(self, config: HeadRendererConfig | None = None, head: Head3D | None = None) -> None:
        self.config = config or HeadRendererConfig()
        self._head = head

    @cached_property
    def head(self) -> Head3D:
        """The head, loaded when first needed."""
        return self._head or Head3D.from_pretrained()

    def render(self, motion: Motion, pose_origin: PoseOrigin = "rest") -> Iterator[Frames]:
        """Yield the frames of ``motion`` in order, in runs; the pictures do not depend on the runs' length.

        Args:
            motion: one motion, without batch dimensions.
            pose_origin: ``"rest"`` for generated motion, ``"camera"`` for tracked motion; see `head_motion`.

        Raises:
            ConfigError: the motion has a batch axis or no frames.
        """
        moved = head_motion(motion, pose_origin)
        for start in range(0, len(motion), self.config.frames_per_run):
            part = slice(start, start + self.config.frames_per_run)
            frames = zip(moved.arkit[part], moved.rotation[part], moved.translation[part], strict=True)
            # one by one: products of several rows are rounded otherwise
            yield Frames(np.stack([self.draw(self.head.vertices(*frame)) for frame in frames]), motion.fps)

    def draw(self, vertices: Float[Tensor, "vertices 3"]) -> UInt8[np.ndarray, "size size 3"]:
        """A picture of the head with these vertices (`Head3D.vertices`)."""
        config, mesh = self.config, self._mesh
        side = config.size * config.oversampling
        scale = side / config.height_cm
        screen = vertices * vertices.new_tensor([scale, -scale, -scale])
        screen = screen + vertices.new_tensor([side / 2 - 0.5, side / 2 - 0.5 + scale * config.middle_cm, 0.0])
        corners = screen[self.head.triangles].reshape(-1, 3).numpy()
        map_x, map_y = np.full((side, side), -1.0, np.float32), np.zeros((side, side), np.float32)
        rasterise(corners, mesh.corner_names, mesh.corner_triangles, map_x, map_y, np.full_like(map_x, np.inf))
        background = linear(torch.tensor(config.background) / 255).numpy()
        light = np.tile(background, (side, side, 1))
        facing = normals(vertices, self.head.triangles).numpy()
        shade(map_x, map_y, mesh.triangles, facing, mesh.colours, mesh.texture, mesh.picture, mesh.wet, light)
        small = cv2.resize(light, (config.size, config.size), interpolation=cv2.INTER_AREA)
        return encoded(np.clip(small, 0, 1))

    @cached_property
    def _mesh(self) -> "_Mesh":
        return _Mesh(self.head)


class _Mesh:
    """What does not change from frame to frame, as the rasteriser and the shader take it."""

    def __init__(self, head: Head3D) -> None:
        number = np.arange(len(head.triangles), dtype=np.float32)[:, None]
        first, second, third = (np.array(weights, np.float32) for weights in ((0, 0), (1, 0), (0, 1)))
        twice = np.concatenate([2 * number, 0 * number], 1)
        self.corner_names = np.stack([twice + first, twice + second, twice + third], 1).reshape(-1, 2)
        self.corner_triangles = np.arange(len(self.corner_names), dtype=np.int32).reshape(-1, 3)
        self.triangles = head.triangles.numpy()
        self.colours = linear(vertex_colours(head)).numpy()
        eyes = (head.part == PARTS.index("eyes"))[:, None]
        self.texture = torch.where(eyes, eye_coordinates(head), -1.0).numpy()
        self.picture = linear(torch.from_numpy(eye_picture()) / 255).numpy()
        shining = torch.tensor([PARTS.index(name) for name in ("eyes", "teeth", "tongue")])
        self.wet = torch.isin(head.part, shining).float().numpy()
