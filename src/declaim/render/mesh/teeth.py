"""Drawn teeth and tongue in the portrait's tone: small RGBA textures in centimetres of head space."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from declaim.face.layouts import LEFT_EYE, LIPS_OUTER, RIGHT_EYE

CHEEKS = (50, 101, 118, 205, 280, 330, 347, 425)
"""Points in the middle of the cheeks."""
UPPER_WIDTHS_CM = (0.84, 0.66, 0.66, 0.54, 0.44, 0.36, 0.3)
"""Widths of the upper teeth from the middle outward, as seen from the front along the dental arch."""
LOWER_WIDTHS_CM = (0.53, 0.56, 0.6, 0.52, 0.44, 0.36, 0.3)
UPPER_HEIGHTS_CM = (0.98, 0.86, 0.95, 0.82, 0.74, 0.68, 0.6)
LOWER_HEIGHTS_CM = (0.8, 0.82, 0.88, 0.78, 0.7, 0.64, 0.6)
HALF_WIDTH_CM = 3.6


@dataclass(frozen=True)
class MouthTones:
    """Colours in [0, 1] RGB."""

    teeth: tuple[float, float, float]
    gum: tuple[float, float, float]
    tongue: tuple[float, float, float]
    dark: tuple[float, float, float]
    crease: tuple[float, float, float]

    @classmethod
    def of(cls, image: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "points 3"]) -> "MouthTones":
        """Tones that fit the portrait's light, skin and colourfulness (a grey photograph has a grey mouth)."""
        cheek = _around(image, landmarks[list(CHEEKS), :2], 50.0)
        lips = _around(image, landmarks[list(LIPS_OUTER), :2], 40.0)
        whites = _around(image, landmarks[[*RIGHT_EYE, *LEFT_EYE], :2], 80.0)
        light = float(np.clip(0.55 * cheek.mean() + 0.5 * whites.mean() + 0.06, 0.18, 0.86))
        colourful = float(np.clip(np.ptp(cheek) / 0.22, 0.0, 1.1))
        cast = cheek / max(cheek.mean(), 1e-3)

        def tone(rgb: tuple[float, float, float], level: float, tint: float) -> tuple[float, float, float]:
            colour = np.array(rgb) / np.mean(rgb)
            colour = 1 + (colour - 1) * colourful + tint * (cast - 1)
            return tuple(float(c) for c in np.clip(colour * level, 0, 1))  # type: ignore[return-value]

        lip_level = float(lips.mean())
        return cls(
            teeth=tone((0.97, 0.93, 0.86), 0.96 * light, 0.35),
            gum=tone((0.8, 0.5, 0.48), 0.8 * lip_level, 0.0),
            tongue=tone((0.78, 0.44, 0.43), 0.72 * lip_level, 0.0),
            dark=tone((0.5, 0.27, 0.25), min(0.13 * lip_level, 0.09), 0.0),
            crease=tuple(float(c) for c in np.clip(lips * np.array([0.5, 0.42, 0.42]), 0, 1)),  # type: ignore[arg-type]
        )


def _around(
    image: UInt8[np.ndarray, "height width 3"], points: Float[np.ndarray, "n 2"], percentile: float
) -> Float[np.ndarray, " 3"]:
    """A percentile of the colours at and next to some points, RGB in [0, 1]."""
    height, width = image.shape[:2]
    offsets = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)])
    at = np.rint(points[:, None] + offsets[None]).astype(int).reshape(-1, 2)
    colours = image[np.clip(at[:, 1], 0, height - 1), np.clip(at[:, 0], 0, width - 1)]
    result: Float[np.ndarray, " 3"] = np.percentile(colours, percentile, axis=0) / 255.0
    return result


@dataclass(frozen=True, eq=False)
class Texture:
    """An RGBA picture that lies in a plane of head space.

    Attributes:
        image: premultiplied RGBA in [0, 1].
        density: pixels per cm.
        origin: position in cm (x right, y up, relative to the plane's own origin) of the first pixel.
    """

    image: Float[np.ndarray, "height width 4"]
    density: float
    origin: tuple[float, float]

    def to_pixel(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Pixels of plane positions in cm."""
        x, y = points[:, 0] - self.origin[0], self.origin[1] - points[:, 1]
        return np.stack([x, y], -1) * self.density


def draw_teeth(tones: MouthTones, density: float, *, upper: bool) -> Texture:
    """One row of teeth with gum; the biting edge of the middle teeth lies at y = 0, upper teeth above it."""
    finer = 3
    px = density * finer
    tall = 2.0
    size = (int(np.ceil(2 * HALF_WIDTH_CM * px)), int(np.ceil(tall * px)))
    widths, heights = (UPPER_WIDTHS_CM, UPPER_HEIGHTS_CM) if upper else (LOWER_WIDTHS_CM, LOWER_HEIGHTS_CM)
    xs = (np.arange(size[0]) / px - HALF_WIDTH_CM)[None, :]
    ys = (np.arange(size[1]) / px - 0.25)[:, None]  # distance from the biting edge, grows toward the gum
    crown = np.zeros(size[::-1], np.float32)
    relief = np.zeros(size[::-1], np.float32)
    left = 0.0
    for i, (width, height) in enumerate(zip(widths, heights, strict=True)):
        middle = left + width / 2
        left += width
        edge = 0.012 * middle**2 + (0.07 if i == 1 and upper else 0.0) + (0.04 if i > 2 else 0.0)
        for side in (-1.0, 1.0):
            u = (xs - side * middle) / (0.5 * width * 0.985)
            v = (ys - edge - height / 2) / (height / 2)
            inside = np.abs(u) ** 4.5 + np.abs(v) ** (5.0 if i != 2 else 2.8) < 1
            crown = np.maximum(crown, inside)
            round_ = (
                1 - 0.16 * np.clip(np.abs(u), 0, 1) ** 3 - 0.10 * np.clip(-v, 0, 1) ** 4 - 0.12 * np.clip(v, 0, 1) ** 2
            )
            relief = np.where(inside, round_, relief).astype(np.float32)
    falloff = np.clip(1.03 - 0.085 * xs**2, 0.12, 1.0)
    gum_edge = 0.42 + 0.0 * xs
    gum = (ys > gum_edge) & (np.abs(xs) < HALF_WIDTH_CM - 0.3)
    colour = np.where(crown[..., None] > 0, np.array(tones.teeth) * relief[..., None], np.array(tones.gum) * 0.8)
    colour = colour * falloff[..., None]
    between = (ys > 0.1) & (ys <= gum_edge) & (crown == 0) & (np.abs(xs) < left)
    colour = np.where(between[..., None], np.array(tones.teeth) * 0.45 * falloff[..., None], colour)
    alpha = ((crown > 0) | gum | between).astype(np.float32)
    rgba = np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)
    if not upper:
        rgba = rgba[::-1]
    small = cv2.resize(rgba, (max(size[0] // finer, 2), max(size[1] // finer, 2)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.35, 0.028 * density))
    top = 0.25 if not upper else tall - 0.25
    small = np.ascontiguousarray(small[::-1])
    return Texture(small, density, (-HALF_WIDTH_CM, top))


def draw_tongue(tones: MouthTones, density: float) -> Texture:
    """A tongue at rest; its tip's upper rim lies at y = 0."""
    px = density
    half, tall = 2.3, 2.6
    xs = (np.arange(int(2 * half * px)) / px - half)[None, :]
    ys = (np.arange(int(tall * px)) / px - 0.2)[:, None]
    rim = 0.2 * (xs / 1.6) ** 2 + 0.3 * np.abs(xs / 2.0) ** 6
    depth = ys - rim
    alpha = np.clip(depth / 0.16 + 0.5, 0, 1) * np.clip((2.25 - np.abs(xs)) / 0.3, 0, 1)
    light = 0.62 + 0.38 * np.exp(-(((depth - 0.4) / 0.32) ** 2)) - 0.2 * np.exp(-((xs / 0.12) ** 2)) * (depth > 0.15)
    light = light * np.clip(1.05 - 0.12 * xs**2, 0.3, 1)
    colour = np.array(tones.tongue) * light[..., None]
    rgba = np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)
    return Texture(cv2.GaussianBlur(rgba, (0, 0), max(0.4, 0.05 * density)), density, (-half, 0.2))
