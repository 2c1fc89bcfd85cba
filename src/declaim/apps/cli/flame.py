"""``declaim flame``: motion to FLAME coefficients and back, for those who hold that model."""

from pathlib import Path
from typing import Annotated

import typer

from declaim.apps.cli.preflight import MOTION_SUFFIXES, check_input, check_output

app = typer.Typer(no_args_is_help=True)

Model = Annotated[
    Path | None,
    typer.Option(help="Your FLAME model as .npz (docs/head.md), for expressions; without it, jaw and eyes alone."),
]


@app.command("export")
def export_flame(
    motion: Annotated[Path, typer.Argument(help="A motion file of declaim (.npz).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write (.npz).")] = Path("flame.npz"),
    model: Model = None,
) -> None:
    """Write a MOTION file's FLAME coefficients.

    Example: [bold]declaim motion hello.wav -o m.npz && declaim flame export m.npz -o flame.npz[/bold]
    """
    check_input(motion, "motion file")
    check_output(output, (".npz",))
    from declaim.export.flame import flame_from_motion, write_flame
    from declaim.export.flame_map import FlameMap
    from declaim.face.motion_file import read_motion

    write_flame(output, flame_from_motion(read_motion(motion), None if model is None else FlameMap.fit(model)))


@app.command("import")
def import_flame(
    coefficients: Annotated[Path, typer.Argument(help="FLAME coefficients: VHAP, DECA, SMIRK, DiffPoseTalk (.npz).")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Motion file to write.")] = Path("motion.npz"),
    model: Model = None,
) -> None:
    """Write the motion that FLAME COEFFICIENTS make.

    Example: [bold]declaim flame import flame.npz --model my-flame.npz -o motion.npz[/bold]
    """
    check_input(coefficients, "FLAME file")
    check_output(output, MOTION_SUFFIXES)
    from declaim.export import save_motion
    from declaim.export.flame import motion_from_flame, read_flame
    from declaim.export.flame_map import FlameMap

    made = motion_from_flame(read_flame(coefficients), None if model is None else FlameMap.fit(model))
    save_motion(output, made, pose_origin="rest")
