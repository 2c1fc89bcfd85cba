"""Networks that metrics look through. A number is comparable only with numbers from the same network: name it."""

from declaim.metrics.extractors.identity import CROP, TEMPLATE, MobileFaceNet, aligned_face, five_points
from declaim.metrics.extractors.vgg import Appearance, VGG16Features

__all__ = ["CROP", "TEMPLATE", "Appearance", "MobileFaceNet", "VGG16Features", "aligned_face", "five_points"]
