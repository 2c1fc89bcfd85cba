"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from declaim.registry import METHODS, RENDERERS, registered

METHOD_NAMES = ", ".join(sorted(registered(METHODS, kind="method")))
RENDERER_NAMES = ", ".join(sorted(registered(RENDERERS, kind="renderer")))

PortraitArgument = Annotated[
    Path, typer.Argument(help="The picture: a photo, painting or cartoon with one face, or a video (its first frame).")
]
SpeechArgument = Annotated[Path, typer.Argument(help="The speech: any audio file, or a video (its sound is taken).")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]
Seed = Annotated[int, typer.Option(min=0, help="Another seed is another performance; the same seed, the same file.")]
Method = Annotated[str, typer.Option(help=f"The system that turns speech into motion: {METHOD_NAMES}.")]
Lips = Annotated[
    str | None,
    typer.Option(metavar="METHOD[=FOLDER]", help="Another method (with weights of yours) for the lips alone."),
]
Head = Annotated[
    str | None,
    typer.Option(metavar="METHOD[=FOLDER]", help="Another method for head, eyes and the rest of the face."),
]
StyleName = Annotated[
    str | None,
    typer.Option(
        "--style", metavar="NAME|FILE",
        help="Whose manner to speak in (diffposetalk): a name of [bold]declaim style list[/bold], a file of "
        "[bold]declaim style extract[/bold], any video of somebody who speaks, or [bold]none[/bold].",
    ),
]  # fmt: skip
SpeechGuidance = Annotated[
    float | None,
    typer.Option(help="How much the speech guides (diffposetalk): 1 as learnt \\[default: the weights' own]."),
]
StyleGuidance = Annotated[
    float | None,
    typer.Option(help="How much the style guides (diffposetalk): 1 as learnt \\[default: the weights' own]."),
]
TakeCount = Annotated[
    int | None,
    typer.Option(
        "--takes", help="Make several performances, of seeds --seed and up; their files are numbered \\[default: one]."
    ),
]
SameLips = Annotated[bool, typer.Option("--same-lips", help="Give all takes the lips of the first one.")]
RendererName = Annotated[
    str,
    typer.Option(
        "--renderer", metavar="NAME[=FOLDER]",
        help=f"The renderer that turns motion into pictures (with weights of yours): {RENDERER_NAMES}.",
    ),
]  # fmt: skip
Face = Annotated[
    str | None, typer.Option(help="Which face, if there are several: [bold]largest[/bold], or 0, 1, … from the left.")
]
Size = Annotated[
    int | None, typer.Option(min=64, max=4096, help="Longer side of the video, px \\[default: the picture's own].")
]
Crop = Annotated[str, typer.Option(help="[bold]head[/bold] cuts a square around head and shoulders.")]
PoseScale = Annotated[float, typer.Option(min=0.0, max=3.0, help="Head motion: 0 still, 1 natural, 2 twice as much.")]
ExpressionScale = Annotated[float, typer.Option(min=0.0, max=3.0, help="Mouth and face: 0 still, 1 natural.")]
BlinkScale = Annotated[float, typer.Option(min=0.0, max=3.0, help="Blinks: 0 none, 1 natural.")]
Steps = Annotated[int | None, typer.Option(min=1, max=1000, help="Denoising steps \\[default: the weights' own].")]
Weights = Annotated[
    Path | None, typer.Option(help="A folder of weights of --method that you trained \\[default: those shipped].")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No bars, no summary; errors only.")]


def face_choice(value: str | None) -> str | int | None:
    """What ``--face`` means: a number, a word or nothing."""
    return int(value) if value is not None and value.lstrip("-").isdigit() else value


def crop_choice(value: str) -> Any:
    """What ``--crop`` means.

    Raises:
        ConfigError: an unknown word.
    """
    from declaim.errors import ConfigError

    if value not in ("none", "head"):
        raise ConfigError(f"--crop is {value!r}; it can be none or head")
    return value
