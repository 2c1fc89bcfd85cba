"""The animated head as glTF: what a player computes from it is what the head does; the Khronos validator agrees."""

import json
import os
import shutil
import struct
import subprocess

import numpy as np
import pytest
import torch

from declaim.errors import ConfigError
from declaim.export import save_motion
from declaim.export.glb import FLOAT, USHORT, Glb
from declaim.export.gltf import write_glb
from declaim.face.head3d import Head3D
from declaim.face.layouts import ARKIT_NAMES, FACE64
from declaim.types import Motion

_NUMPY = {5126: "<f4", 5123: "<u2"}
_COLUMNS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


class Player:
    """Reads a GLB and plays it, by the specification alone."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<3I", data)
        assert (magic, version, length) == (0x46546C67, 2, len(data))
        size, kind = struct.unpack_from("<2I", data, 12)
        assert kind == 0x4E4F534A
        self.root = json.loads(data[20 : 20 + size])
        size2, kind2 = struct.unpack_from("<2I", data, 20 + size)
        assert kind2 == 0x004E4942
        assert size2 % 4 == size % 4 == 0
        self.binary = data[28 + size : 28 + size + size2]

    def raw(self, view, kind, count, columns):
        where = self.root["bufferViews"][view]
        return np.frombuffer(self.binary, _NUMPY[kind], count * columns, where["byteOffset"]).reshape(count, columns)

    def array(self, number):
        entry = self.root["accessors"][number]
        columns, kind = _COLUMNS[entry["type"]], entry["componentType"]
        if "bufferView" in entry:
            values = self.raw(entry["bufferView"], kind, entry["count"], columns).copy()
        else:
            values = np.zeros((entry["count"], columns), _NUMPY[kind])
        if "sparse" in entry:
            sparse = entry["sparse"]
            rows = self.raw(sparse["indices"]["bufferView"], sparse["indices"]["componentType"], sparse["count"], 1)
            values[rows[:, 0]] = self.raw(sparse["values"]["bufferView"], kind, sparse["count"], columns)
        if "min" in entry:
            np.testing.assert_array_equal(values.min(0), np.float32(entry["min"]))
            np.testing.assert_array_equal(values.max(0), np.float32(entry["max"]))
        return values / 65535 if entry.get("normalized") else values

    def track(self, path):
        animation = self.root["animations"][0]
        (channel,) = (c for c in animation["channels"] if c["target"]["path"] == path)
        sampler = animation["samplers"][channel["sampler"]]
        return channel["target"]["node"], self.array(sampler["input"])[:, 0], self.array(sampler["output"])

    def frame(self, number):
        """Vertices of all surfaces in metres, in frame ``number``."""
        node, _, rotations = self.track("rotation")
        _, _, translations = self.track("translation")
        weights = self.track("weights")[2].reshape(-1, 52)[number]
        assert self.root["skins"][0]["joints"][1] == node
        turn, moved = matrix_of(rotations[number]), translations[number]
        surfaces = []
        for primitive in self.root["meshes"][0]["primitives"]:
            shape = self.array(primitive["attributes"]["POSITION"]).astype(float)
            for weight, target in zip(weights, primitive["targets"], strict=True):
                shape += weight * self.array(target["POSITION"])
            joints = self.array(primitive["attributes"]["JOINTS_0"])
            shares = self.array(primitive["attributes"]["WEIGHTS_0"])
            np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
            share = (shares * (joints == 1)).sum(1, keepdims=True)
            surfaces.append((1 - share) * shape + share * (shape @ turn.T + moved))
        return np.concatenate(surfaces)


def matrix_of(quaternion):
    x, y, z, w = quaternion
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


@pytest.fixture(scope="module")
def head():
    return Head3D.from_pretrained()


def moving(frames=5):
    g = torch.Generator().manual_seed(0)
    values = torch.zeros(frames, FACE64.dim)
    values[:, 64:67] = 0.3 * torch.randn(frames, 3, generator=g)
    values[:, 67:] = torch.randn(frames, 3, generator=g)
    return Motion(values, FACE64, arkit=torch.rand(frames, 52, generator=g))


@pytest.fixture(scope="module")
def played(head, tmp_path_factory):
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    write_glb(path, moving(), sound="a.wav", head=head)
    return Player(path)


def test_a_player_sees_the_head_in_metres(played, head):
    motion = moving()
    posed = head.vertices(motion.arkit, motion["rotation"], motion["translation"])
    expected = [posed[3][head.part <= 2], *(posed[3][head.part == part] for part in (3, 4, 5))]
    np.testing.assert_allclose(played.frame(3), 0.01 * torch.cat(expected).numpy(), atol=2e-6)


def test_triangles_are_all_there_and_look_outwards(played, head):
    primitives = played.root["meshes"][0]["primitives"]
    assert sum(len(played.array(p["indices"])) for p in primitives) == 3 * len(head.triangles)
    for primitive in primitives:
        shape, order = played.array(primitive["attributes"]["POSITION"]), played.array(primitive["indices"])[:, 0]
        corners = shape[order.reshape(-1, 3)]
        facing = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        lit = played.array(primitive["attributes"]["NORMAL"])[order.reshape(-1, 3)].mean(1)
        assert ((facing * lit).sum(1) > 0).mean() > 0.97


def test_morph_targets_carry_arkits_names_and_one_key_a_frame(played):
    mesh = played.root["meshes"][0]
    assert mesh["extras"]["targetNames"] == list(ARKIT_NAMES)
    node, times, weights = played.track("weights")
    np.testing.assert_allclose(times, np.arange(5) / 25, atol=1e-6)
    np.testing.assert_array_equal(weights.reshape(5, 52), moving().arkit.numpy())
    assert played.root["nodes"][node]["mesh"] == 0


def test_it_says_what_it_is(played):
    asset = played.root["asset"]
    assert asset["generator"].startswith("declaim ")
    assert asset["extras"] == {"synthetic": True, "fps": 25.0, "arkit": True, "sound": "a.wav"}


def test_it_is_small(played):
    assert len(played.binary) < 1_300_000


def test_tracked_heads_stand_where_they_are_on_the_average(tmp_path, head):
    motion = moving()
    far = motion.values.clone()
    far[:, 69] -= 60  # cm, as a camera sees it
    write_glb(tmp_path / "a.glb", Motion(far, FACE64, arkit=motion.arkit), pose_origin="camera", head=head)
    moved = Player(tmp_path / "a.glb").track("translation")[2]
    np.testing.assert_allclose(moved.mean(0), 0, atol=1e-7)
    np.testing.assert_allclose(moved - moved[0], 0.01 * (motion["translation"] - motion["translation"][0]), atol=1e-6)


def test_rotations_never_take_the_long_way(tmp_path, head):
    values = torch.zeros(40, FACE64.dim)
    values[:, 65] = torch.linspace(0, 12, 40)  # round and round
    write_glb(tmp_path / "a.glb", Motion(values, FACE64, arkit=torch.zeros(40, 52)), head=head)
    turning = Player(tmp_path / "a.glb").track("rotation")[2]
    assert (turning[1:] * turning[:-1]).sum(1).min() > 0.9


def test_sparse_arrays_hold_what_dense_ones_do(tmp_path):
    values = np.zeros((7, 3), np.float32)
    values[[2, 5]] = [[1, 2, 3], [-4, 5, 6]]
    glb = Glb({})
    numbers = [glb.array(values), glb.array(values, sparse=True, bounds=True), glb.array(0 * values, sparse=True)]
    shares = glb.array(np.array([[0], [65535]]), USHORT, normalized=True)
    glb.write(tmp_path / "a.glb")
    player = Player(tmp_path / "a.glb")
    for number, expected in zip(numbers, (values, values, 0 * values), strict=True):
        np.testing.assert_array_equal(player.array(number), expected)
    np.testing.assert_array_equal(player.array(shares), [[0], [1]])
    assert "bufferView" not in player.root["accessors"][numbers[2]]
    assert player.root["accessors"][numbers[0]]["componentType"] == FLOAT


def test_save_motion_writes_it_by_its_ending(tmp_path):
    save_motion(tmp_path / "a.GLB", moving(), pose_origin="rest")
    assert len(Player(tmp_path / "a.GLB").track("rotation")[1]) == 5


def test_a_motion_without_frames_is_refused(tmp_path, head):
    with pytest.raises(ConfigError, match="the motion has no frames"):
        write_glb(tmp_path / "a.glb", moving().frames(0, 0), head=head)
    assert not any(tmp_path.iterdir())


def test_the_khronos_validator_finds_nothing(tmp_path, head):
    validator = _validator()
    write_glb(tmp_path / "a.glb", moving(), sound="a.wav", head=head)
    run = subprocess.run(
        ["node", "-e", _VALIDATE, str(tmp_path / "a.glb")], env=validator, capture_output=True, text=True, check=True
    )
    issues = json.loads(run.stdout)
    assert issues["messages"] == []
    assert issues["numErrors"] == issues["numWarnings"] == issues["numInfos"] == issues["numHints"] == 0


_VALIDATE = """
require("gltf-validator").validateBytes(new Uint8Array(require("fs").readFileSync(process.argv[1])))
  .then(report => console.log(JSON.stringify(report.issues)))
"""


def _validator():
    """The environment in which node finds ``gltf-validator``: ``npm install -g gltf-validator`` puts it there."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node is not installed")
    globally = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    found = os.environ | {"NODE_PATH": os.pathsep.join([os.environ.get("NODE_PATH", ""), globally])}
    probe = ["node", "-e", "require('gltf-validator')"]
    if subprocess.run(probe, env=found, capture_output=True, check=False).returncode:
        pytest.skip("the validator is not installed: npm install -g gltf-validator")
    return found
