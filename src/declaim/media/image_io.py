"""Still pictures in and out, through Pillow; everything comes out as upright 8-bit sRGB."""

import io
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from declaim.errors import DeclaimWarning, MediaError, NoPicture, Unreadable, Unwritable
from declaim.media.container import check_is_file
from declaim.media.video_io import first_frame
from declaim.pretrained import atomic_file

Picture = UInt8[np.ndarray, "height width 3"]

MAX_SIDE = 8192
"""Larger pictures are scaled down to this, in pixels."""
MAX_PIXELS = 178_000_000
"""Pictures with more pixels are refused: decoding them could exhaust memory."""
BACKDROP = (255, 255, 255)
"""Colour behind transparent parts: white, as a page or a slide shows them."""

_BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, MemoryError)
_SAVED = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


def read_image(path: str | Path) -> Picture:
    """Read a picture: jpg, png, webp, bmp, tiff, gif, ...; the content decides, not the name.

    EXIF rotation is applied, colour profiles are converted to sRGB, CMYK, grey, palette and 16-bit pictures to 8-bit
    RGB; transparent parts are laid on white.

    Raises:
        Unreadable: the file is missing, empty, corrupt, truncated, too large or no picture.

    Warns:
        DeclaimWarning: the file holds several pictures (the first is taken) or was scaled down to 8192 pixels.
    """
    path = Path(path)
    check_is_file(path)
    notes: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
            image = _decode(path, notes)
    except UnidentifiedImageError as error:
        raise Unreadable(f"cannot read {path}: {_not_a_picture(path)}") from error
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except _BROKEN as error:
        raise Unreadable(f"cannot read {path}: the picture is corrupt or cut off ({error})") from error
    for note in notes:
        warnings.warn(note, DeclaimWarning, stacklevel=2)
    return image


def read_portrait_image(path: str | Path) -> Picture:
    """Read a portrait: a picture, or the first picture of a video.

    Raises:
        Unreadable: the file is neither, or cannot be used.
        NoPicture: the file has sound only.
    """
    path = Path(path)
    check_is_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(path).close()
    except UnidentifiedImageError:
        pass
    except (Image.DecompressionBombError, *_BROKEN):
        return read_image(path)  # which says what is wrong
    else:
        return read_image(path)
    try:
        return first_frame(path)
    except NoPicture:
        raise
    except MediaError as error:
        raise Unreadable(f"cannot read {path}: {_not_a_picture(path)}") from error


def write_image(path: str | Path, image: Picture) -> Path:
    """Write a picture, whole or not at all; the suffix decides the kind (png, jpg, webp, bmp, tiff).

    Raises:
        Unwritable: unknown suffix, or the folder is missing or cannot be written.
    """
    path = Path(path)
    kind = _SAVED.get(path.suffix.lower())
    if kind is None:
        raise Unwritable(f"cannot write {path}: pictures are written as {', '.join(_SAVED)}; choose such a name")
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    with atomic_file(path) as partial:
        Image.fromarray(image).save(partial, format=kind, **options)
    return path


def _decode(path: Path, notes: list[str]) -> Picture:
    with Image.open(path) as image:
        if image.width * image.height > MAX_PIXELS:
            raise _too_large(path)
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # an MPO's others are previews
            notes.append(f"{path} holds {getattr(image, 'n_frames', 0)} pictures; the first is used")
            image.seek(0)
        if max(image.size) > MAX_SIDE:
            notes.append(f"{path} is {image.width} x {image.height} pixels; it was scaled down to {MAX_SIDE}")
            image.draft("RGB", (MAX_SIDE // 2, MAX_SIDE // 2))  # JPEG decodes at 1/2, 1/4, ... at once
        image.load()
        picture = ImageOps.exif_transpose(image)
        if max(picture.size) > MAX_SIDE:
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
        return np.ascontiguousarray(np.asarray(_to_srgb(picture, image.info.get("icc_profile")), dtype=np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """8-bit sRGB without transparency."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        image = _to_8_bit(image)
    if image.mode in ("P", "PA") or (image.mode in ("L", "RGB", "1") and "transparency" in image.info):
        image = image.convert("RGBA")
    if image.mode in ("LA", "La", "RGBa"):
        image = image.convert("RGBA")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = _through_profile(image.convert("RGB") if alpha else image, profile)
    if alpha is None:
        return colours
    backdrop = Image.new("RGB", image.size, BACKDROP)
    backdrop.paste(colours, mask=alpha)
    return backdrop


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Wide grey as 8-bit grey. Pillow's own conversion clips at 255 instead of scaling."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0, neginf=0)
    if image.mode == "F":
        top = 1.0 if values.max(initial=0) <= 1 else 255.0 if values.max() <= 255 else 65535.0
    else:
        top = 65535.0
    return Image.fromarray(np.clip(values * (255 / top) + 0.5, 0, 255).astype(np.uint8))


def _through_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB; a profile that cannot be used is ignored, as viewers do."""
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            result = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            return image.convert("RGB") if result is None else result
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass
    return image.convert("RGB")


def _not_a_picture(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(32)
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"):
        return "HEIC pictures are not supported; save it as JPEG or PNG"
    if head.lstrip().startswith((b"<svg", b"<?xml")):
        return "vector graphics are not supported; save it as PNG"
    return "it is no picture that declaim knows; use JPEG, PNG, WebP, BMP, TIFF or GIF"


def _too_large(path: Path) -> Unreadable:
    return Unreadable(
        f"cannot read {path}: the picture has more than {MAX_PIXELS // 1_000_000} million pixels; scale it down first"
    )
