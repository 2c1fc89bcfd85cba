import pytest
import torch
from safetensors.torch import save_file

from declaim.errors import CheckpointError, ConfigError
from declaim.sync.offsets import lse_c, lse_d, offset
from declaim.sync.syncnet import SyncNet, cut_faces, syncnet_curve
from declaim.types import Frames, Speech

PUBLISHED = {
    "netcnnaud.0.weight": (64, 1, 3, 3),
    "netcnnaud.4.weight": (192, 64, 3, 3),
    "netcnnaud.8.weight": (384, 192, 3, 3),
    "netcnnaud.11.weight": (256, 384, 3, 3),
    "netcnnaud.14.weight": (256, 256, 3, 3),
    "netcnnaud.18.weight": (512, 256, 5, 4),
    "netcnnaud.19.running_mean": (512,),
    "netfcaud.0.weight": (512, 512),
    "netfcaud.1.running_var": (512,),
    "netfcaud.3.weight": (1024, 512),
    "netfclip.3.bias": (1024,),
    "netcnnlip.0.weight": (96, 3, 5, 7, 7),
    "netcnnlip.4.weight": (256, 96, 1, 5, 5),
    "netcnnlip.8.weight": (256, 256, 1, 3, 3),
    "netcnnlip.11.weight": (256, 256, 1, 3, 3),
    "netcnnlip.14.weight": (256, 256, 1, 3, 3),
    "netcnnlip.18.weight": (512, 256, 1, 6, 6),
    "netcnnlip.19.bias": (512,),
}
"""Names and shapes of the published file, one or two of every kind."""


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return SyncNet().eval()


def test_names_and_shapes_are_the_published_ones(net):
    state = net.state_dict()
    assert {name: tuple(state[name].shape) for name in PUBLISHED} == PUBLISHED
    counted = {name.rsplit(".", 1)[0] for name in state}
    assert len(counted) == 6 + 6 + 6 + 6 + 3 * 2  # convolutions and norms of both branches, layers of both heads


def test_embeddings_have_1024_numbers(net):
    with torch.no_grad():
        assert net.embed_sound(torch.randn(2, 1, 13, 20)).shape == (2, 1024)
        assert net.embed_faces(torch.rand(1, 3, 5, 224, 224) * 255).shape == (1, 1024)


def test_weights_are_read_from_both_kinds_of_file(net, tmp_path):
    state = net.state_dict()
    torch.save({n: t for n, t in state.items() if "num_batches" not in n}, tmp_path / "syncnet_v2.model")
    save_file(state, tmp_path / "net.safetensors")
    sound = torch.randn(2, 1, 13, 20)
    for name in ("syncnet_v2.model", "net.safetensors"):
        again = SyncNet.from_file(tmp_path / name)
        assert torch.equal(again.embed_sound(sound), net.embed_sound(sound))


def test_other_files_are_refused(net, tmp_path):
    with pytest.raises(CheckpointError, match="there is no SyncNet file"):
        SyncNet.from_file(tmp_path / "missing.model")
    (tmp_path / "text.model").write_text("no weights")
    with pytest.raises(CheckpointError, match="cannot read SyncNet weights"):
        SyncNet.from_file(tmp_path / "text.model")
    save_file({"other.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="no netfcaud"):
        SyncNet.from_file(tmp_path / "other.safetensors")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "object.model")  # a pickled object must not be unpickled
    with pytest.raises(CheckpointError, match="cannot read SyncNet weights"):
        SyncNet.from_file(tmp_path / "object.model")
    small = {n: t for n, t in net.state_dict().items() if not n.startswith("netcnnlip.18")}
    save_file(small, tmp_path / "part.safetensors")
    with pytest.raises(CheckpointError, match=r"netcnnlip\.18"):
        SyncNet.from_file(tmp_path / "part.safetensors")


@pytest.mark.parametrize("late", [-4, 0, 6])
def test_offset_has_declaims_sign(late):
    sound = torch.randn(80, 16, generator=torch.Generator().manual_seed(0))
    faces = sound.roll(late, 0)  # what is heard at t is seen at t + late
    curve = syncnet_curve(sound, faces)
    assert offset(curve) == late
    assert lse_d(curve) == pytest.approx(float(curve[15 + late]))
    assert lse_c(curve) > 1.0


def test_ends_are_filled_with_zeros_as_published():
    sound, faces = torch.randn(6, 4), torch.randn(6, 4)
    curve = syncnet_curve(sound, faces, reach=2)
    later = torch.cat([sound[2:], torch.zeros(2, 4)])  # sound two frames on: the picture is two frames early
    assert float(curve[0]) == pytest.approx(float((faces - later + 1e-6).norm(dim=1).mean()), rel=1e-5)


def test_a_clip_is_judged(net):
    faces = torch.randint(0, 256, (8, 224, 224, 3), dtype=torch.uint8)
    curve = net.curve(Speech(torch.randn(8 * 640).clamp(-1, 1) * 0.1, 16_000), faces, reach=2)
    assert curve.shape == (5,)
    with pytest.raises(ConfigError, match="more than 5 frames"):
        net.curve(Speech(torch.zeros(3200), 16_000), faces)
    with pytest.raises(ConfigError, match="16000"):
        net.curve(Speech(torch.zeros(3200), 8000), faces)


def test_faces_are_cut_with_margins():
    points = torch.zeros(3, 478, 3)
    points[:, :, :2] = torch.tensor([100.0, 120.0])
    points[:, 0, :2], points[:, 1, :2] = torch.tensor([80.0, 80.0]), torch.tensor([120.0, 160.0])
    image = torch.zeros(200, 200, 3, dtype=torch.uint8)
    image[80:192, 44:156] = 200  # half 40: 56 px to the sides, 40 up, 72 down
    faces = cut_faces([Frames(image[None].repeat(3, 1, 1, 1).numpy())], points)
    assert faces.shape == (3, 224, 224, 3)
    assert float((faces == 200).float().mean()) > 0.97
    wide = points.clone()
    wide[..., 0] += 60
    assert int(cut_faces([Frames(image[None].repeat(3, 1, 1, 1).numpy())], wide)[0, 100, 223, 0]) == 110
