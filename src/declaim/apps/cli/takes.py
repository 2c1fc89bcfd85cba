"""Several takes on the command line: their seeds and files, what is said of them, and pictures of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from declaim.apps.cli.progress import OnStep, console
from declaim.errors import ConfigError

if TYPE_CHECKING:
    from declaim.pipeline import Clip
    from declaim.plots.sheet import Row
    from declaim.types import Motion


@dataclass(frozen=True)
class Plan:
    """Which takes to make.

    Attributes:
        seeds: one a take.
        same_lips: whether all have the first one's lips.
    """

    seeds: tuple[int, ...]
    same_lips: bool

    @classmethod
    def of(cls, takes: int | None, seed: int, same_lips: bool) -> "Plan":
        """The takes that some options ask for.

        Raises:
            ConfigError: fewer than one, or one with the same lips as the others.
        """
        count = 1 if takes is None else takes
        if count < 1:
            raise ConfigError(f"--takes is {count}; expected a whole number of at least 1")
        if same_lips and count == 1:
            raise ConfigError("--same-lips gives several takes the same lips; add --takes with at least 2")
        return cls(tuple(range(seed, seed + count)), same_lips)

    @property
    def several(self) -> bool:
        """Whether files are numbered, and pictures of all takes made."""
        return len(self.seeds) > 1

    def files(self, path: Path) -> list[Path]:
        """The takes' files: ``out.mp4`` becomes ``out-1.mp4``, ``out-2.mp4``, ... unless there is only one."""
        if not self.several:
            return [path]
        return [beside(path, f"{number}{path.suffix}") for number in range(1, len(self.seeds) + 1)]


class Reel:
    """The takes as they are made, and what is shown of all of them together.

    Args:
        plan: the takes.
    """

    def __init__(self, plan: Plan) -> None:
        self.motions: list[Motion] = []
        self._plan = plan
        self._rows: list[Row] = []

    def write(self, clip: "Clip", path: Path, on_step: OnStep) -> None:
        """Write the next take's video; ``on_step`` moves over all takes together."""
        from declaim.motion.mixed import part_of
        from declaim.plots.sheet import Row

        step = part_of(on_step, len(self.motions), len(self._plan.seeds))
        self.motions.append(clip.motion)
        if self._plan.several:
            self._rows.append(Row(len(clip.motion), clip.portrait))
            clip.write(path, step, self._rows[-1].see)
        else:
            clip.write(path, step)

    def finish(self, output: Path, files: Sequence[Path], *, quiet: bool) -> None:
        """Several takes: write the contact sheet (if there are pictures) and the poses, and say a line of each."""
        from declaim.media import write_image
        from declaim.plots.poses import pose_scatter
        from declaim.plots.sheet import contact_sheet
        from declaim.pretrained import atomic_file

        if not self._plan.several:
            return
        labels, pictures = [f"seed {seed}" for seed in self._plan.seeds], [beside(output, "poses.svg")]
        if self._rows:
            pictures.insert(0, beside(output, "sheet.png"))
            write_image(pictures[0], contact_sheet(self._rows, labels))
        with atomic_file(pictures[-1]) as partial:
            partial.write_text(pose_scatter(self.motions, labels), encoding="utf-8")
        if not quiet:
            self._say(files)
            console.print(f"all takes together: {' and '.join(map(str, pictures))}")

    def _say(self, files: Sequence[Path]) -> None:
        """One line a take: its file, seed, how far the head goes, and its blinks."""
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("take", "seed", "turn, degrees", "nod, degrees", "blinks"):
            table.add_column(column, justify="left" if column == "take" else "right")
        for file, seed, motion in zip(files, self._plan.seeds, self.motions, strict=True):
            turn, nod, blinks = _figures(motion)
            table.add_row(file.name, str(seed), f"{turn:.1f}", f"{nod:.1f}", str(blinks))
        console.print(table)


def _figures(motion: "Motion") -> tuple[float, float, int]:
    """Range of yaw and of pitch, in degrees, and number of blinks."""
    import torch

    from declaim.face.eyes import blinks, eye_opening, lid_closure
    from declaim.face.model import FaceModel
    from declaim.face.rotations import yaw_pitch_roll

    angles = torch.rad2deg(yaw_pitch_roll(motion["rotation"]))
    turn, nod, _ = (angles.amax(0) - angles.amin(0)).tolist()
    model = FaceModel.from_pretrained()
    b = motion["expression"]
    # In blocks: an hour's points would take half a gigabyte.
    eyes = torch.cat([eye_opening(model.points(b[i : i + 1000])) for i in range(0, len(b), 1000)])
    return turn, nod, len(blinks(lid_closure(eyes), motion.fps))


def beside(path: Path, ending: str) -> Path:
    """A file that belongs to ``path``: ``out.mp4`` and ``poses.svg`` give ``out-poses.svg``."""
    return path.with_name(f"{path.stem}-{ending}")
