"""Published datasets to labels for ``declaim prepare``: bring them with your own access, nothing is downloaded.

One function a dataset reads the layout in which it was published and names every video's speaker, split, language,
licence and origin. Speakers' names begin with the dataset's, so that corpora can be joined.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from declaim.data.converters import hdtf, mead, tfhp, voxceleb2
from declaim.data.converters.labels import LabelRow, write_labels
from declaim.errors import ConfigError

__all__ = ["DATASETS", "Dataset", "LabelRow", "read_dataset", "write_labels"]


@dataclass(frozen=True)
class Dataset:
    """A dataset whose published layout is known.

    Attributes:
        labels: reads it.
        licence: under which it was published.
        layout: how its videos are laid out, for messages.
    """

    labels: Callable[[Path], list[LabelRow]]
    licence: str
    layout: str


DATASETS = {
    "hdtf": Dataset(hdtf.hdtf_labels, hdtf.LICENCE, "NAME_0.mp4 or WDA_NAME_000.mp4"),
    "voxceleb2": Dataset(voxceleb2.voxceleb2_labels, voxceleb2.LICENCE, "dev/mp4/id00012/VIDEO/00001.mp4"),
    "mead": Dataset(mead.mead_labels, mead.LICENCE, "M003/video/front/angry/level_1/001.mp4"),
    "tfhp": Dataset(tfhp.tfhp_labels, tfhp.LICENCE, "data/TH_00001/000.mp4"),
}


def read_dataset(name: str, root: Path) -> list[LabelRow]:
    """Labels of the dataset ``name`` below ``root``, by path.

    Raises:
        ConfigError: no such dataset, no such folder, or none of its videos there.
    """
    if name not in DATASETS:
        raise ConfigError(f"there is no converter for {name!r}; there are: {', '.join(DATASETS)}")
    dataset = DATASETS[name]
    rows = dataset.labels(Path(root))
    if not rows:
        raise ConfigError(f"{root} holds no video named as {name} publishes them; expected, below it, {dataset.layout}")
    return rows
