"""Every kind of picture that people have, and every kind of broken one."""

import io
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from declaim.errors import DeclaimWarning, NoPicture, Unreadable, Unwritable
from declaim.media import read_image, read_portrait_image, write_image, write_video
from declaim.media.image_io import MAX_SIDE
from declaim.types import Frames

from .clips import click, write_clip


def picture() -> np.ndarray:
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([x * 4, y * 5, 255 - x * 2 - y], axis=-1).clip(0, 255).astype(np.uint8)


def close(a: np.ndarray, b: np.ndarray, by: float) -> bool:
    return a.shape == b.shape and float(np.abs(a.astype(int) - b).mean()) <= by


@pytest.mark.parametrize(
    ("suffix", "by"), [(".png", 0), (".bmp", 0), (".tiff", 0), (".webp", 0), (".jpg", 3), (".jpeg", 3), (".PNG", 0)]
)
def test_round_trip(tmp_path: Path, suffix: str, by: float) -> None:
    path = write_image(tmp_path / f"ein Bild 写真{suffix}", picture())
    image = read_image(path)
    assert close(image, picture(), by)
    assert image.dtype == np.uint8 and image.flags.c_contiguous
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, 1), 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }[orientation](picture())  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)
    assert np.array_equal(read_image(path), picture())


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_transparency_is_laid_on_white(tmp_path: Path, kind: str) -> None:
    image = np.zeros((48, 64, 4), np.uint8)
    image[:, :32] = (10, 10, 10, 255)
    image[:, 32:48] = (10, 10, 10, 0)
    image[:, 48:] = (10, 10, 10, 128)
    source = Image.fromarray(image)
    path = tmp_path / "a.png"
    if kind == "P":
        palette = Image.fromarray((image[..., 3] == 0).astype(np.uint8), mode="P")
        palette.putpalette([10, 10, 10, 200, 0, 0])
        palette.save(path, transparency=1)
    else:
        source.convert(kind).save(path)
    seen = read_image(path)
    assert (seen[:, :32] == 10).all() and (seen[:, 32:48] == 255).all()
    if kind != "P":
        assert np.abs(seen[:, 48:].astype(int) - 132).max() <= 1


@pytest.mark.parametrize("kind", ["L", "1", "P", "CMYK", "YCbCr", "LAB", "HSV"])
def test_colour_modes(tmp_path: Path, kind: str) -> None:
    source = Image.fromarray(picture())
    converted = source.convert("L").convert(kind) if kind == "1" else source.convert(kind) if kind != "LAB" else None
    if converted is None:
        lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        converted = ImageCms.applyTransform(source, lab)
    suffix = ".tiff" if kind in ("CMYK", "YCbCr", "LAB") else ".png"
    path = tmp_path / f"a{suffix}"
    if kind == "HSV":
        pytest.skip("no file format stores HSV")
    converted.save(path)
    by = {"L": 60, "1": 140, "P": 30, "CMYK": 1, "YCbCr": 3, "LAB": 80}[kind]
    seen = read_image(path)
    assert close(seen, picture(), by)
    if kind == "L":
        assert np.array_equal(seen[..., 0], np.asarray(source.convert("L")))


def test_cmyk_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(picture()).convert("CMYK").save(path, quality=95)
    assert close(read_image(path), picture(), 6)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    grey = np.linspace(0, 65_535, 64 * 48).reshape(48, 64).astype(np.uint16)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(grey).save(path)
    seen = read_image(path)
    assert np.abs(seen[..., 0].astype(int) - np.round(grey / 257).astype(int)).max() <= 1


def test_16_bit_colour(tmp_path: Path) -> None:
    """Written by hand: Pillow reads, but does not write, 16-bit RGB."""
    wide = picture().astype(">u2") * 257
    rows = b"".join(b"\0" + row.tobytes() for row in wide)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 64, 48, 16, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    assert close(read_image(tmp_path / "a.png"), picture(), 0.5)


def test_float_tiff(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 1, 64 * 48).reshape(48, 64).astype(np.float32)).save(tmp_path / "a.tiff")
    seen = read_image(tmp_path / "a.tiff")
    assert seen.max() == 255 and seen.min() == 0


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".tiff"])
def test_the_first_of_several_pictures_is_used(tmp_path: Path, suffix: str) -> None:
    first, second, third = (Image.fromarray(image) for image in (picture(), 255 - picture(), picture() // 2))
    path = tmp_path / f"a{suffix}"
    first.save(path, save_all=True, append_images=[second, third])
    with pytest.warns(DeclaimWarning, match="3 pictures"):
        seen = read_image(path)
    assert close(seen, picture(), 25)


def test_a_still_gif_is_no_animation(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.gif")
    assert close(read_image(tmp_path / "a.gif"), picture(), 25)


def test_a_colour_profile_is_converted_to_srgb(tmp_path: Path) -> None:
    """A profile that swaps red and green, if it is honoured, swaps them in the result."""
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {swapped[132 + 12 * i : 136 + 12 * i].decode(): 132 + 12 * i for i in range(swapped[131])}
    red, green = (bytes(swapped[tags[n] + 4 : tags[n] + 12]) for n in ("rXYZ", "gXYZ"))
    swapped[tags["rXYZ"] + 4 : tags["rXYZ"] + 12], swapped[tags["gXYZ"] + 4 : tags["gXYZ"] + 12] = green, red
    Image.fromarray(picture()).save(tmp_path / "a.png", icc_profile=bytes(swapped))
    assert close(read_image(tmp_path / "a.png"), picture()[..., [1, 0, 2]], 2)


def test_a_broken_colour_profile_is_ignored(tmp_path: Path) -> None:
    Image.fromarray(picture()).save(tmp_path / "a.png", icc_profile=b"no profile")
    assert np.array_equal(read_image(tmp_path / "a.png"), picture())


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", picture())
    for name in ("a.jpg", "a.txt", "a.mp4", "a"):
        shutil.copy(tmp_path / "a.png", tmp_path / name)
        assert np.array_equal(read_image(tmp_path / name), picture())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tiff", ".gif"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_pictures_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    kind = {".jpg": "JPEG", ".tiff": "TIFF"}.get(suffix, suffix[1:].upper())
    Image.fromarray(noise).save(buffer, kind)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * share)])
    for read in (read_image, read_portrait_image):
        with pytest.raises(Unreadable) as caught:
            read(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_pictures_are_read_or_refused_but_never_crash(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    kind = ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"][seed % 6]
    Image.fromarray(picture()).save(buffer, kind)
    data = bytearray(buffer.getvalue())
    for at in rng.integers(0, min(len(data), 400), 6):
        data[at] = rng.integers(0, 256)
    path = tmp_path / "a"
    path.write_bytes(data)
    try:
        assert read_image(path).ndim == 3
    except Unreadable:
        pass
    except DeclaimWarning:
        pass


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "text.png").write_text("no picture\n" * 100)
    (tmp_path / "noise.jpg").write_bytes(np.random.default_rng(0).bytes(5_000))
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500))
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    words = {"none.png": "no such file", "empty.png": "empty", "folder.png": "folder", "text.png": "no picture",
             "noise.jpg": "no picture", "a.heic": "HEIC", "a.svg": "vector"}  # fmt: skip
    for name, word in words.items():
        for read in (read_image, read_portrait_image):
            with pytest.raises(Unreadable, match=word) as caught:
                read(tmp_path / name)
            assert name in str(caught.value) and "\n" not in str(caught.value)


def test_huge_pictures_are_scaled_down_or_refused(tmp_path: Path) -> None:
    wide = tmp_path / "wide.png"
    Image.new("RGB", (MAX_SIDE + 1000, 20), (10, 20, 30)).save(wide)
    with pytest.warns(DeclaimWarning, match="scaled down"):
        assert read_image(wide).shape[1] == MAX_SIDE
    bomb = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(bomb)
    with pytest.raises(Unreadable, match="million pixels"):
        read_image(bomb)
    photo = tmp_path / "photo.jpg"  # 100 million pixels, as phones make them
    Image.new("L", (12_000, 9_000), 77).save(photo)
    with pytest.warns(DeclaimWarning, match="scaled down"):
        image = read_image(photo)
    assert max(image.shape) <= MAX_SIDE and abs(int(image[5, 5, 0]) - 77) <= 1


def test_a_video_serves_as_a_portrait(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [Frames(np.stack([picture(), 255 - picture()]))], crf=5)
    assert close(read_portrait_image(video), picture(), 6)
    assert np.array_equal(read_portrait_image(write_image(tmp_path / "a.png", picture())), picture())
    with pytest.raises(Unreadable):
        read_image(video)
    sound = write_clip(tmp_path / "a.wav", sound=click(1, 0.5), audio_codec="pcm_s16le")
    with pytest.raises(NoPicture):
        read_portrait_image(sound)


def test_refused_outputs(tmp_path: Path) -> None:
    with pytest.raises(Unwritable, match="does not exist"):
        write_image(tmp_path / "none" / "a.png", picture())
    with pytest.raises(Unwritable, match="png"):
        write_image(tmp_path / "a.xyz", picture())
    assert not list(tmp_path.iterdir())
