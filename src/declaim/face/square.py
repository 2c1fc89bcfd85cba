"""The square around a head: as the corpus's pictures show it, and so as networks of pictures know heads."""

from declaim.face.faces import Box

SURROUND = 1.9
"""Side of the square around a face, in heights of the face (forehead to chin): hair, chin and throat are in it."""
SLACK = 0.5
"""Least room in the square beyond what the face covers in the course of the clip, in heights of the face."""
HIGHER = 0.1
"""How far above the face's middle the square's lies, in heights of the face: more hair than throat."""


def square_side(box: Box, height: float) -> float:
    """Side of the square around all that a face covers, pixels.

    Args:
        box: left, top, right and bottom of that.
        height: of the face, pixels.
    """
    left, top, right, bottom = box
    return max(SURROUND * height, max(right - left, bottom - top) + SLACK * height)


def square_corner(box: Box, height: float, side: float) -> tuple[float, float]:
    """Left and top of a square of ``side`` around a box, pixels; see `square_side`."""
    left, top, right, bottom = box
    return (left + right - side) / 2, (top + bottom - side) / 2 - HIGHER * height
