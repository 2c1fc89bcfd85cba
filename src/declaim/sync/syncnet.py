"""SyncNet v2, for those who have its weights: LSE-D and LSE-C as the field's papers report them.

The network of "Out of time: automated lip sync in the wild" (Chung and Zisserman 2016) in the layout of its published
weights ``syncnet_v2.model``: five frames of the face against .2 s of sound, embeddings of 1024. declaim does not ship
or fetch those weights.
"""

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file
from scipy.signal import medfilt
from torch import Tensor, nn

from declaim.errors import CheckpointError, ConfigError
from declaim.sync.mfcc import mfcc
from declaim.sync.offsets import REACH
from declaim.types import Frames, Speech

WINDOW, STEPS = 5, 20
"""Frames of a window, and MFCC steps in the same time."""
SIDE = 224
"""Pixels of a face picture."""
MARGIN = 0.4
"""What is added to the face's box, as a share of its half side: on the sides, and twice below."""
_GREY = 110
_BATCH = 16


class SyncNet(nn.Module):
    """The two branches under the published names; `from_file` reads weights.

    Args:
        embedding: size of the embeddings.
    """

    def __init__(self, embedding: int = 1024) -> None:
        super().__init__()
        self.netcnnaud = _audio_layers()
        self.netfcaud = _head(embedding)
        self.netfclip = _head(embedding)
        self.netcnnlip = _lip_layers()

    @classmethod
    def from_file(cls, path: Path) -> "SyncNet":
        """Read ``syncnet_v2.model`` (a pickled state dict: nothing but tensors is unpickled) or a safetensors file.

        Raises:
            CheckpointError: missing, damaged, or of another network.
        """
        path = Path(path)
        if not path.is_file():
            raise CheckpointError(f"there is no SyncNet file {path}; get syncnet_v2.model from its authors")
        state = _read(path)
        last = state.get("netfcaud.3.weight")
        if last is None:
            raise CheckpointError(f"{path} is no SyncNet v2: it has no netfcaud.3.weight")
        net = cls(len(last))
        own = net.state_dict()
        counters = {name for name in own if name.endswith("num_batches_tracked")}  # old files lack them
        if odd := sorted((set(own) - counters - set(state)) | (set(state) - set(own))):
            raise CheckpointError(f"{path} is no SyncNet v2: {', '.join(odd[:3])} differ from its layout")
        try:
            net.load_state_dict({**own, **{name: tensor.float() for name, tensor in state.items()}})
        except RuntimeError as error:
            raise CheckpointError(f"{path} is no SyncNet v2: {str(error).splitlines()[-1].strip()}") from error
        return net.eval().requires_grad_(False)

    def embed_sound(self, coefficients: Float[Tensor, "windows 1 13 20"]) -> Float[Tensor, "windows embedding"]:
        """Embeddings of .2 s of MFCC."""
        embedded: Tensor = self.netfcaud(self.netcnnaud(coefficients).flatten(1))
        return embedded

    def embed_faces(self, faces: Float[Tensor, "windows 3 5 224 224"]) -> Float[Tensor, "windows embedding"]:
        """Embeddings of five face pictures, channels blue, green, red, 0 to 255."""
        embedded: Tensor = self.netfclip(self.netcnnlip(faces).flatten(1))
        return embedded

    @torch.no_grad()
    def curve(
        self, speech: Speech, faces: UInt8[Tensor, "frames 224 224 3"], reach: int = REACH
    ) -> Float[Tensor, " offsets"]:
        """Distance curve of a clip as the published evaluation makes it; read it with `lse_d`, `lse_c`, `offset`.

        Args:
            speech: 16 kHz.
            faces: RGB, see `cut_faces`.
            reach: largest offset in frames.

        Raises:
            ConfigError: another sample rate, or fewer than six frames.
        """
        if speech.sample_rate != 16_000:
            raise ConfigError(f"SyncNet hears 16000 samples a second, got {speech.sample_rate}; resample the speech")
        frames = min(len(faces), len(speech.samples) // 640)
        if frames <= WINDOW:
            raise ConfigError(f"SyncNet needs more than {WINDOW} frames with sound, got {frames}")
        steps, starts = mfcc(speech.samples).T, range(frames - WINDOW)
        sound = torch.stack([steps[None, :, 4 * i : 4 * i + STEPS] for i in starts])
        heard = [self.embed_sound(sound[i : i + _BATCH]) for i in range(0, len(sound), _BATCH)]
        seen = [self.embed_faces(part) for part in _face_windows(faces, len(starts))]
        return syncnet_curve(torch.cat(heard), torch.cat(seen), reach)


def syncnet_curve(
    sound: Float[Tensor, "windows dim"], faces: Float[Tensor, "windows dim"], reach: int = REACH
) -> Float[Tensor, " offsets"]:
    """Mean distance for offsets ``-reach .. reach``, positive where the picture comes late.

    As published: beyond its ends the sound is filled up with zeros, and every offset averages over all windows.
    """
    n = len(faces)
    padded = nn.functional.pad(sound, (0, 0, reach, reach))
    by_delay = [nn.functional.pairwise_distance(faces, padded[k : k + n]).mean() for k in range(2 * reach + 1)]
    return torch.stack(by_delay[::-1])


def cut_faces(
    video: Iterable[Frames], points: Float[Tensor, "frames points 3"], valid: Bool[Tensor, " frames"] | None = None
) -> UInt8[Tensor, "frames 224 224 3"]:
    """Face pictures as SyncNet expects them: the face's box, steadied, with margins at the sides and below.

    Its authors found the box with a detector of their own; here it is the box around the tracked points.

    Args:
        video: runs of RGB frames.
        points: tracked points in pixels.
        valid: frames in which the face was seen; the others borrow the nearest box.
    """
    known = np.arange(len(points)) if valid is None else np.flatnonzero(valid.numpy())
    if len(known) == 0:
        raise ConfigError("no frame shows a face: there are no face pictures to cut")
    rows = points[np.abs(np.arange(len(points))[:, None] - known[None]).argmin(1), :, :2].double()
    low, high = rows.amin(1), rows.amax(1)
    half = medfilt(((high - low).amax(1) / 2).numpy(), 13 if len(rows) >= 13 else 1)
    x, y = (medfilt(column, 13 if len(rows) >= 13 else 1) for column in ((low + high) / 2).T.numpy())
    found: list[np.ndarray] = []
    for run in video:
        for image in run.images[: len(half) - len(found)]:
            i = len(found)
            found.append(_square(image, float(x[i]), float(y[i]), float(half[i])))
    if not found:
        raise ConfigError("the video has no picture that was tracked: there are no face pictures to cut")
    return torch.from_numpy(np.stack(found))


def _square(image: np.ndarray, x: float, y: float, half: float) -> np.ndarray:
    scale = 2.0 * half * (1.0 + MARGIN) / SIDE
    warp = np.array([[scale, 0.0, x - half * (1.0 + MARGIN)], [0.0, scale, y - half]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, warp, (SIDE, SIDE), flags=how, borderValue=(_GREY,) * 3))


def _face_windows(faces: Tensor, count: int) -> Iterator[Tensor]:
    """Batches of five consecutive pictures: (windows, blue green red, 5, 224, 224)."""
    for start in range(0, count, _BATCH):
        part = faces[start : min(start + _BATCH, count) + WINDOW - 1].flip(-1).float()
        yield part.unfold(0, WINDOW, 1).permute(0, 3, 4, 1, 2)


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"cannot read SyncNet weights from {path}: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        raise CheckpointError(f"{path} is no SyncNet v2: expected a plain state dict of tensors")
    return state


def _head(embedding: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, embedding))


def _audio_layers() -> nn.Sequential:
    """13 x 20 coefficients to 512 numbers."""

    def block(before: int, after: int, kernel: tuple[int, int] = (3, 3), padding: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(before, after, kernel, padding=padding), nn.BatchNorm2d(after), nn.ReLU()]

    return nn.Sequential(
        *block(1, 64), nn.Identity(),  # the published pooling over 1 x 1
        *block(64, 192), nn.MaxPool2d(3, (1, 2)),
        *block(192, 384), *block(384, 256), *block(256, 256), nn.MaxPool2d(3, 2),
        *block(256, 512, (5, 4), 0),
    )  # fmt: skip


def _lip_layers() -> nn.Sequential:
    """Five pictures of 224 x 224 to 512 numbers."""

    def block(before: int, after: int, kernel: tuple[int, int], stride: int = 1, padding: int = 0) -> list[nn.Module]:
        frames, side = kernel
        conv = nn.Conv3d(before, after, (frames, side, side), (1, stride, stride), (0, padding, padding))
        return [conv, nn.BatchNorm3d(after), nn.ReLU()]

    return nn.Sequential(
        *block(3, 96, (5, 7), 2), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
        *block(96, 256, (1, 5), 2, 1), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        *block(256, 256, (1, 3), 1, 1), *block(256, 256, (1, 3), 1, 1), *block(256, 256, (1, 3), 1, 1),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
        *block(256, 512, (1, 6)),
    )  # fmt: skip
