"""Published layouts of four datasets, in small, to labels that `declaim prepare` reads."""

import csv
from pathlib import Path

import pytest

from declaim.data.converters import DATASETS, read_dataset, write_labels
from declaim.data.converters.mead import mead_labels
from declaim.data.prepare import PrepareOptions, find_sources
from declaim.errors import ConfigError, Unwritable


def tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def table(root: Path, name: str) -> dict[str, tuple[str, str]]:
    return {
        row.path.relative_to(root).as_posix(): (row.speaker, row.split)
        for row in read_dataset(name, root)
    }  # fmt: skip


def test_hdtf_by_either_naming(tmp_path: Path) -> None:
    tree(
        tmp_path, "clips/AmyKlobuchar0_0.mp4", "clips/AmyKlobuchar1_2.mp4", "clips/Radio11_1.mp4",
        "other/WDA_WhipJimClyburn_000.mp4", "other/WRA_LamarAlexander0_001.mp4", "_videos_raw/WDA_AmyKlobuchar0.mp4",
        "clips/._AmyKlobuchar0_0.mp4",
    )  # fmt: skip
    assert table(tmp_path, "hdtf") == {
        "clips/AmyKlobuchar0_0.mp4": ("hdtf-AmyKlobuchar", ""),
        "clips/AmyKlobuchar1_2.mp4": ("hdtf-AmyKlobuchar", ""),
        "clips/Radio11_1.mp4": ("hdtf-Radio", "train"),
        "other/WDA_WhipJimClyburn_000.mp4": ("hdtf-JamesClyburn", ""),
        "other/WRA_LamarAlexander0_001.mp4": ("hdtf-LamarAlexander", ""),
    }


def test_hdtf_lists_give_addresses_and_leave_out_strangers(tmp_path: Path) -> None:
    tree(tmp_path, "HDTF_dataset/WDA_video_url.txt", "a/AdamSchiff_0.mp4", "a/Stranger_0.mp4")
    (tmp_path / "HDTF_dataset/WDA_video_url.txt").write_text("AdamSchiff https://www.youtube.com/watch?v=abc\n")
    (row,) = read_dataset("hdtf", tmp_path)
    assert row.source == "https://www.youtube.com/watch?v=abc"
    assert (row.speaker, row.language, row.licence) == ("hdtf-AdamSchiff", "en", "CC BY 4.0")


def test_voxceleb2_sets(tmp_path: Path) -> None:
    tree(
        tmp_path, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "mp4/id00017/01dfn2spqyE/00003.mp4",
        "dev/aac/id00012/21Uxsk56VDQ/00001.m4a",
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"id00017 .*vox2_meta.csv"):
        read_dataset("voxceleb2", tmp_path)
    (tmp_path / "vox2_meta.csv").write_text(
        "VoxCeleb2 ID ,VGGFace2 ID ,Gender,Set \nid00012 \t,n000012 \t,m \t,dev \nid00017 \t,n000017 \t,m \t,test \n"
    )
    assert table(tmp_path, "voxceleb2") == {
        "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4": ("voxceleb2-id00012", "train"),
        "mp4/id00017/01dfn2spqyE/00003.mp4": ("voxceleb2-id00017", "eval"),
    }


def test_voxceleb2_folders_tell_without_the_list(tmp_path: Path) -> None:
    tree(tmp_path, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "test/mp4/id00017/01dfn2spqyE/00003.mp4")
    assert [row.split for row in read_dataset("voxceleb2", tmp_path)] == ["train", "eval"]


def test_voxceleb2_damaged_list(tmp_path: Path) -> None:
    tree(tmp_path, "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4")
    (tmp_path / "vox2_meta.csv").write_text("VoxCeleb2 ID,Set\nid00012,else\n")
    with pytest.raises(ConfigError, match=r"vox2_meta\.csv is damaged"):
        read_dataset("voxceleb2", tmp_path)


def test_mead_views(tmp_path: Path) -> None:
    tree(
        tmp_path, "M003/video/front/angry/level_1/001.mp4", "M003/video/left_30/angry/level_1/001.mp4",
        "W009_video/video/front/neutral/level_1/002.mp4", "M003/audio/angry/level_1/001.m4a", "M003/extra/001.mp4",
    )  # fmt: skip
    assert table(tmp_path, "mead") == {
        "M003/video/front/angry/level_1/001.mp4": ("mead-M003", ""),
        "W009_video/video/front/neutral/level_1/002.mp4": ("mead-W009", ""),
    }
    assert read_dataset("mead", tmp_path)[0].source == "MEAD, angry, level 1, front"
    assert len(mead_labels(tmp_path, ("front", "left_30"))) == 3
    with pytest.raises(ConfigError, match="no view 'behind'"):
        mead_labels(tmp_path, ("behind",))


def test_tfhp_split(tmp_path: Path) -> None:
    tree(
        tmp_path, "data/TH_00000/000.mp4", "data/TH_00001/000.mp4", "data/TH_00001/001.mp4", "data/TH_00002/000.mp4",
        "HDTF_TFHP-lmdb/data.mdb",
    )  # fmt: skip
    for name, keys in {
        "train": "RD_Radio1/000\nTH_00000/000\n",
        "val": "TH_00002/000\n",
        "test": "TH_00001/000\n",
    }.items():
        (tmp_path / f"HDTF_TFHP-lmdb/{name}.txt").write_text(keys)
    assert table(tmp_path, "tfhp") == {
        "data/TH_00000/000.mp4": ("tfhp-TH_00000", "train"),
        "data/TH_00001/000.mp4": ("tfhp-TH_00001", "eval"),
        "data/TH_00001/001.mp4": ("tfhp-TH_00001", "eval"),
        "data/TH_00002/000.mp4": ("tfhp-TH_00002", "val"),
    }


def test_labels_are_those_that_prepare_takes(tmp_path: Path) -> None:
    root = tree(tmp_path / "disk", "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4", "test/mp4/id00017/01dfn2spqyE/00003.mp4")
    (tmp_path / "lists").mkdir()
    labels = tmp_path / "lists" / "labels.csv"
    write_labels(read_dataset("voxceleb2", root), labels)
    with labels.open(newline="") as lines:
        assert next(csv.DictReader(lines))["path"] == "../disk/dev/mp4/id00012/21Uxsk56VDQ/00001.mp4"
    sources, refused = find_sources(root, labels, PrepareOptions())
    assert [(s.speaker, s.split, s.licence, s.origin) for s in sources] == [
        ("voxceleb2-id00012", "train", DATASETS["voxceleb2"].licence, "https://www.youtube.com/watch?v=21Uxsk56VDQ"),
        ("voxceleb2-id00017", "eval", DATASETS["voxceleb2"].licence, "https://www.youtube.com/watch?v=01dfn2spqyE"),
    ]
    assert refused == []


@pytest.mark.parametrize("name", list(DATASETS))
def test_another_layout(tmp_path: Path, name: str) -> None:
    tree(tmp_path, "holiday/beach.mp4")
    with pytest.raises(ConfigError, match=f"no video named as {name} publishes them; expected, below it, "):
        read_dataset(name, tmp_path)


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no converter for 'grid'; there are: hdtf, voxceleb2, mead, tfhp"):
        read_dataset("grid", tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        read_dataset("mead", tmp_path / "absent")
    with pytest.raises(Unwritable, match="create it first"):
        write_labels([], tmp_path / "absent" / "labels.csv")
