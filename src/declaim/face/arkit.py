"""ARKit coefficients from face geometry: the tracker's own blendshape network, rewritten in torch.

The network reads x and y of 146 of the 478 points, takes their place and scale out, and is an MLP-Mixer (Tolstikhin et
al., NeurIPS 2021) over 96 mixed point tokens and one output token. Being small and differentiable, it gives the
coefficients of any motion: the face model's points, seen from the front, go in.
"""

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from declaim.assets import shipped
from declaim.face.layouts import ARKIT_NAMES, BLENDSHAPE_POINTS
from declaim.face.model import FaceModel
from declaim.face.rotations import matrix_from_axis_angle
from declaim.face.track import arkit_order
from declaim.pretrained import WEIGHTS_FILE, load_into, load_tensors, read_config
from declaim.types import Motion

KIND = "arkit-net"
N_TOKENS, WIDTH, TOKEN_HIDDEN, CHANNEL_HIDDEN, N_BLOCKS = 97, 64, 384, 256, 4
INPUT_SCALE = 0.5
"""Mean distance of the points from their middle, as the network sees them."""
NORM_EPSILON = 1e-6
_RUN = 256
"""Frames that go through the network at once."""


class _Norm(nn.Module):
    """Layer norm with a gain and without an offset."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(WIDTH))

    def forward(self, tokens: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        return nn.functional.layer_norm(tokens, (WIDTH,), self.gain, eps=NORM_EPSILON)


class _Mixer(nn.Module):
    """One block: an MLP across tokens, then one across channels, each after a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.token_norm, self.channel_norm = _Norm(), _Norm()
        self.tokens = nn.Sequential(nn.Linear(N_TOKENS, TOKEN_HIDDEN), nn.ReLU(), nn.Linear(TOKEN_HIDDEN, N_TOKENS))
        self.channels = nn.Sequential(nn.Linear(WIDTH, CHANNEL_HIDDEN), nn.ReLU(), nn.Linear(CHANNEL_HIDDEN, WIDTH))

    def forward(self, tokens: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        tokens = tokens + self.tokens(self.token_norm(tokens).mT).mT
        mixed: Tensor = tokens + self.channels(self.channel_norm(tokens))
        return mixed


class ArkitNet(nn.Module):
    """The blendshape network: x and y of the 478 points to the tracker's 52 scores."""

    def __init__(self) -> None:
        super().__init__()
        self.mix_points = nn.Linear(len(BLENDSHAPE_POINTS), N_TOKENS - 1)
        self.embed = nn.Linear(2, WIDTH)
        self.output_token = nn.Parameter(torch.zeros(WIDTH))
        self.blocks = nn.Sequential(*(_Mixer() for _ in range(N_BLOCKS)))
        self.output = nn.Linear(WIDTH, 52)

    def forward(self, points: Float[Tensor, "batch points 2"]) -> Float[Tensor, "batch 52"]:
        """Scores in the tracker's own order, of points in image axes: x right, y down, any place and scale."""
        chosen = points[:, list(BLENDSHAPE_POINTS)]
        centred = chosen - chosen.mean(1, keepdim=True)
        spread = centred.norm(dim=-1).mean(-1)[:, None, None]
        tokens = self.embed(self.mix_points((INPUT_SCALE * centred / spread).mT).mT)
        tokens = torch.cat([self.output_token.expand(len(tokens), 1, -1), tokens], 1)
        return torch.sigmoid(self.output(self.blocks(tokens)[:, 0]))

    @classmethod
    def from_pretrained(cls, folder: Path | None = None) -> "ArkitNet":
        """Read a saved network; the one that ships with declaim if no folder is given.

        Raises:
            CheckpointError: the folder holds no such network.
        """
        folder = shipped("arkit-net") if folder is None else folder
        read_config(folder, KIND)
        net = cls()
        load_into(net, load_tensors(Path(folder) / WEIGHTS_FILE), Path(folder))
        return net.eval().requires_grad_(False)


_NETWORK: dict[str, ArkitNet] = {}


def arkit_scores(points: Float[Tensor, "*batch points coordinates"]) -> Float[Tensor, "*batch 52"]:
    """The 52 ARKit coefficients of tracked points; differentiable.

    On the tracker's own points they equal the tracker's own scores (to 1e-4).

    Args:
        points: 478 points in image axes (x right, y down), at any place and scale; a third coordinate is ignored.

    Returns:
        Coefficients in [0, 1], Apple's order (`ARKIT_NAMES`); left is the person's left. ``tongueOut`` is 0.
    """
    net = _NETWORK.setdefault("net", ArkitNet.from_pretrained()) if not _NETWORK else _NETWORK["net"]
    flat = points[..., :2].reshape(-1, points.shape[-2], 2)
    scores = torch.cat([net(run) for run in torch.split(flat, _RUN)]) if len(flat) else flat.new_zeros(0, 52)
    return arkit_order(scores.reshape(*points.shape[:-2], 52))


def shape_scores(
    shape: Float[Tensor, "*batch points 3"], view: Float[Tensor, "*views 3"] | None = None
) -> Float[Tensor, "*batch 52"]:
    """The 52 ARKit coefficients of head-space shapes (cm, y up); as `arkit_scores`.

    Args:
        shape: the shapes.
        view: head rotation (axis-angle, rad) under which the network sees them; from the front if None.
    """
    seen = shape if view is None else shape @ matrix_from_axis_angle(view).mT
    return arkit_scores(seen * shape.new_tensor([1.0, -1.0, 1.0]))


def arkit_from_motion(
    motion: Motion,
    model: FaceModel,
    rest: Float[Tensor, "points 3"] | None = None,
    view: Float[Tensor, " 3"] | None = None,
) -> Float[Tensor, "*batch frames 52"]:
    """The 52 ARKit coefficients of a motion's expressions; head pose has no influence.

    Args:
        motion: a motion with the part ``"expression"``.
        model: the face model of its expressions.
        rest: the person's rest shape as the tracker sees it (`FreedClip.seen_rest`), cm. With it the coefficients are
            those that the tracker gives this person, who has offsets of his own. Without it the mean face acts, and the
            scores of its rest are taken out, so that ``b = 0`` gives zeros.
        view: with ``rest``: the rotation (axis-angle, rad) at which the person is usually seen; None: the front.

    Returns:
        Coefficients in [0, 1], Apple's order.
    """
    expression = motion["expression"]
    scores = expression.new_empty(*expression.shape[:-1], len(ARKIT_NAMES))
    # In runs: an hour's points do not fit into memory at once. Into one tensor: small results that stay between large
    # ones that go would leave holes of a gigabyte.
    for run, part in zip(*(torch.split(each, _RUN, dim=-2) for each in (expression, scores)), strict=True):
        shape = model.points(run) if rest is None else rest + model.offsets(run)
        part.copy_(shape_scores(shape, view if rest is not None else None))
    return scores if rest is not None else from_neutral(scores, shape_scores(model.mean))


def from_neutral(scores: Float[Tensor, "*batch 52"], neutral: Float[Tensor, " 52"]) -> Float[Tensor, "*batch 52"]:
    """Scores counted from a face's rest scores: ``neutral`` becomes 0, and 1 stays 1."""
    return ((scores - neutral) / (1 - neutral).clamp(min=1e-3)).clamp(0, 1)


def with_arkit(motion: Motion, model: FaceModel, rest: Float[Tensor, "points 3"] | None = None) -> Motion:
    """The motion with its ARKit coefficients computed; see `arkit_from_motion`."""
    return replace(motion, arkit=arkit_from_motion(motion, model, rest))
