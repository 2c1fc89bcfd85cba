"""Takes the weights of the blendshape network out of the tracker's asset and saves them for `declaim.face.arkit`.

    python -m declaim.recipes.arkit_net -o src/declaim/assets/shipped/arkit-net

Needs the development dependency ``ai-edge-litert`` and the asset ``face-landmarker``.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from declaim.assets import locate
from declaim.face.arkit import KIND, N_BLOCKS, ArkitNet
from declaim.pretrained import CARD_FILE, WEIGHTS_FILE, atomic_folder, half, load_into, save_tensors, write_config

CARD = """# arkit-net

The blendshape network of the MediaPipe Face Landmarker (`face_blendshapes.tflite` inside `face_landmarker.task`,
float16/1): x and y of 146 of the 478 face points to 52 scores with ARKit's names. The weights are the original's, half
precision as published; only the file format is another (safetensors instead of TensorFlow Lite).

- Source: <https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task>
- Copyright: Google LLC (MediaPipe)
- Licence: Apache-2.0
- Made by: `python -m declaim.recipes.arkit_net -o src/declaim/assets/shipped/arkit-net`
- Checked by: `tests/face/test_arkit.py` (equal to the original run by ai-edge-litert, and to the tracker's own scores)
"""
_PREFIX = "model_1/GhumMarkerPoserMlpMixerGeneral/"


def blendshape_network(task: Path) -> bytes:
    """The file ``face_blendshapes.tflite`` out of the tracker's asset, which is a zip archive."""
    with zipfile.ZipFile(task) as archive:
        return archive.read("face_blendshapes.tflite")


def extract(network: bytes) -> dict[str, Tensor]:
    """The weights under the names of `ArkitNet`.

    Args:
        network: the TensorFlow Lite file.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=network, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    interpreter.allocate_tensors()
    stored = {
        d["name"].removeprefix(_PREFIX): interpreter.get_tensor(d["index"])
        for d in interpreter.get_tensor_details()
        if d["dtype"] == np.float16
    }

    def find(*parts: str) -> Tensor:
        (name,) = (n for n in stored if all(p in n for p in parts))
        return torch.from_numpy(stored[name].astype(np.float32)).squeeze()

    tensors = {"output_token": find("AddExtraTokens")}
    layers = {"mix_points": "conv2d/", "embed": "input_tokens_embedding/", "output": "output_blendweights/"}
    for k in range(N_BLOCKS):
        block = f"MixerBlock_{k}/"
        for ours, theirs in (("token", "layer_norm1/batchnorm/mul"), ("channel", "layer_norm2/batchnorm/mul")):
            tensors[f"blocks.{k}.{ours}_norm.gain"] = find(block, theirs)
        for ours in ("token", "channel"):
            layers[f"blocks.{k}.{ours}s.0"] = f"{block}mlp_{ours}_mixing/Mlp_1/"
            layers[f"blocks.{k}.{ours}s.2"] = f"{block}mlp_{ours}_mixing/Mlp_2/"
    for ours, theirs in layers.items():
        tensors[f"{ours}.weight"] = find(theirs, "Conv2D")
        tensors[f"{ours}.bias"] = find(theirs, "BiasAdd")
    return tensors


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    arguments = parser.parse_args()
    tensors = extract(blendshape_network(locate("face-landmarker")))
    load_into(ArkitNet(), tensors, arguments.output)  # names and shapes must fit
    with atomic_folder(arguments.output) as folder:
        write_config(folder, {"kind": KIND, "source": "face_landmarker.task float16/1", "licence": "Apache-2.0"})
        save_tensors(folder / WEIGHTS_FILE, half(tensors))
        (folder / CARD_FILE).write_text(CARD, encoding="utf-8")


if __name__ == "__main__":
    main()
