"""The person's outline in the portrait, by classical means: GrabCut seeded from the face mesh."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from declaim.face.layouts import FACE_OVAL
from declaim.render.mesh.surround import FaceFrame, distance_to_polygon, head_ellipse

WORK_FACE_WIDTH = 64
"""Face width in pixels at which the outline is sought; finer gains nothing and costs time."""

PLAIN = 12.0
"""Colour difference (CIELAB in 8 bits) up to which a background counts as plain."""
LEAST_COVERED = 0.81
"""Share of an average head that an outline must hold. Of 32 people it was 0.83 to 1 where the outline was right (the
lowest is bald), 0.75 to 0.80 where GrabCut had taken dark hair for a dark background."""


def find_outline(
    image: UInt8[np.ndarray, "height width 3"],
    landmarks: Float[np.ndarray, "points 3"],
) -> Bool[np.ndarray, "height width"] | None:
    """True on the person near the face, or None if person and background cannot be told apart.

    Args:
        image: the portrait.
        landmarks: the tracker's points in its pixels.
    """
    frame = FaceFrame.of(landmarks)
    low = np.maximum(frame.centre - frame.width * np.array([1.9, 2.0]), 0).astype(int)
    high = np.minimum(frame.centre + frame.width * np.array([1.9, 1.8]), image.shape[1::-1]).astype(int)
    scale = min(1.0, WORK_FACE_WIDTH / frame.width)
    cut = image[low[1] : high[1], low[0] : high[0]]
    size = max(round(cut.shape[1] * scale), 8), max(round(cut.shape[0] * scale), 8)
    small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    ys, xs = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float64)
    at = np.stack([(xs + 0.5) * cut.shape[1] / size[0] + low[0], (ys + 0.5) * cut.shape[0] / size[1] + low[1]], -1)
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 0.7), cv2.COLOR_RGB2LAB)
    seeds = _seeds(frame, at, landmarks[list(FACE_OVAL), :2])
    if not (seeds == cv2.GC_BGD).any():
        return None
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # GrabCut starts from k-means
    labels, _, _ = cv2.grabCut(lab, seeds, None, *models, 4, cv2.GC_INIT_WITH_MASK)
    person = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    person = _one_piece(person | _stands_out(lab, seeds == cv2.GC_BGD, frame.width * scale), frame, at)
    if not _plausible(person, frame, at):
        return None
    person |= _surely_head(frame, at)
    fine = cv2.resize(person.astype(np.float32), cut.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    out = np.zeros(image.shape[:2], np.bool_)
    out[low[1] : high[1], low[0] : high[0]] = fine > 0.5
    return out


def _seeds(
    frame: FaceFrame, at: Float[np.ndarray, "rows columns 2"], oval: Float[np.ndarray, "36 2"]
) -> UInt8[np.ndarray, "rows columns"]:
    """GrabCut's starting labels."""
    local = frame.local(at)
    x, y = local[..., 0], local[..., 1]
    ratio = frame.height / frame.width
    chin = -0.5 * ratio
    seeds = np.full(x.shape, cv2.GC_PR_BGD, np.uint8)
    body = (y < chin) & (np.abs(x) < 0.3 + 1.1 * np.clip((chin - y) / 0.7, 0, 1.3))
    seeds[body | head_ellipse(frame, at)] = cv2.GC_PR_FGD
    wide = (x / 1.25) ** 2 + ((y - 0.2 * ratio) / (1.15 * ratio)) ** 2
    seeds[(wide > 1) & (y > chin + 0.1)] = cv2.GC_BGD
    seeds[(y <= chin + 0.1) & (np.abs(x) > 1.2 + 2.2 * (chin + 0.1 - y))] = cv2.GC_BGD
    inner = frame.local(oval)
    middle = inner.mean(0)
    # the face itself, slightly shrunk, and the neck under it
    corners = (inner - middle) * 0.92 + middle
    near = (np.abs(x) < 0.8) & (np.abs(y) < ratio)
    face = np.zeros(x.shape, np.bool_)
    face[near] = distance_to_polygon(corners, local[near]) < 0
    seeds[face | _surely_head(frame, at)] = cv2.GC_FGD
    seeds[(y < chin + 0.1) & (y > chin - 0.3) & (np.abs(x) < 0.2)] = cv2.GC_FGD
    return seeds


def _stands_out(
    lab: UInt8[np.ndarray, "rows columns 3"], background: Bool[np.ndarray, "rows columns"], width: float
) -> Bool[np.ndarray, "rows columns"]:
    """Before a plain background: what differs from it. Finds the hair that GrabCut gives away; nothing otherwise."""
    colours = lab.astype(np.float32)
    sure = background.astype(np.float32)
    sigma = 0.7 * width
    total = cv2.GaussianBlur(sure, (0, 0), sigma) + 1e-9
    expected = cv2.GaussianBlur(colours * sure[..., None], (0, 0), sigma) / total[..., None]
    apart = np.linalg.norm(colours - expected, axis=-1)
    if np.percentile(apart[background], 90) > PLAIN:
        return np.zeros(background.shape, np.bool_)
    stands_out: Bool[np.ndarray, "rows columns"] = (apart > 2.5 * PLAIN) & ~background & (total > 1e-4)
    return stands_out


def _one_piece(
    person: Bool[np.ndarray, "rows columns"], frame: FaceFrame, at: Float[np.ndarray, "rows columns 2"]
) -> Bool[np.ndarray, "rows columns"]:
    """The piece that holds the face, without thin bridges and holes."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    opened = cv2.morphologyEx(person.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, labels = cv2.connectedComponents(opened)
    centre = np.unravel_index(np.argmin(np.linalg.norm(at - frame.centre, axis=-1)), person.shape)
    piece = (labels == labels[centre]) & (labels > 0)
    piece = cv2.morphologyEx(piece.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    # a border of background all around, so that everything not reached from it is the person or a hole in it
    _, pieces = cv2.connectedComponents(1 - np.pad(piece, 1))
    return (pieces != pieces[0, 0])[1:-1, 1:-1]


def _plausible(
    person: Bool[np.ndarray, "rows columns"], frame: FaceFrame, at: Float[np.ndarray, "rows columns 2"]
) -> bool:
    """Whether the outline looks like a head: neither much smaller nor much larger than heads are."""
    local = frame.local(at)
    above = local[..., 1] > -0.3 * frame.height / frame.width
    average = head_ellipse(frame, at) & above
    if not average.any():
        return False
    covered = (person & average).sum() / average.sum()
    beyond = (person & above & ~average).sum() / average.sum()
    return bool(covered > LEAST_COVERED and beyond < 0.9)


def _surely_head(frame: FaceFrame, at: Float[np.ndarray, "rows columns 2"]) -> Bool[np.ndarray, "rows columns"]:
    """The face and the skull above it, which GrabCut may lose where hair has the background's colour."""
    local = frame.local(at)
    ratio = frame.height / frame.width
    x, y = local[..., 0] / 0.52, (local[..., 1] - 0.1 * ratio) / (0.62 * ratio)
    return (x * x + y * y < 1) & (local[..., 1] > -0.5 * ratio)
