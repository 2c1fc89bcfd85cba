"""``declaim synthesize``: a corpus of synthetic speech with known phonemes."""

from pathlib import Path
from typing import Annotated

import typer

from declaim.apps.cli.preflight import ensure_assets, ensure_encoder
from declaim.apps.cli.progress import console, stages


def synthesize(
    output: Annotated[Path, typer.Option("--output", "-o", help="The corpus: a new folder, or one to be completed.")],
    minutes: Annotated[
        float, typer.Option(help="Minutes of speech, about; at least one clip of 7 s of every voice.")
    ] = 60.0,
    voices: Annotated[
        str | None,
        typer.Option(help="Names with commas between, as [bold]af_bella,bm_george[/bold] \\[default: all]."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds are other sentences.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    encoder: Annotated[str, typer.Option(help="The speech encoder of the features.")] = "whisper-tiny.en",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No bars, no summary; errors only.")] = False,
) -> None:
    """Make a corpus of synthetic speech with exact phoneme times, and mouths for it.

    Stop it at any time; the same command goes on where it was.
    Example: [bold]declaim synthesize -o synthetic --minutes 30 --workers 4[/bold]
    """
    from pydantic import ValidationError

    from declaim.audio.espeak import phonemizer
    from declaim.data.synthetic import SynthesisOptions, synthesize
    from declaim.errors import ConfigError
    from declaim.registry import ENCODERS, resolve

    resolve(ENCODERS, encoder, kind="encoder")
    chosen = {} if voices is None else {"voices": tuple(voices.replace(",", " ").split())}
    try:
        options = SynthesisOptions.model_validate({"minutes": minutes, "seed": seed, "encoder": encoder, **chosen})
    except ValidationError as error:
        first = error.errors()[0]
        reason = str(first["msg"]).removeprefix("Value error, ")
        raise ConfigError(f"--{first['loc'][0]}: {reason}") from error
    phonemizer()
    needed = ["kokoro"] if options.voices == ("af_bella",) else ["kokoro", "kokoro-voices"]
    ensure_encoder(encoder, quiet=quiet)
    ensure_assets(*needed, quiet=quiet)
    with stages(quiet) as bars:
        made = synthesize(output, options, workers=workers, on_clip=bars.stage("speaking"))
    if not quiet:
        spoken = sum(clip.frames for clip in made) / 25 / 60
        console.print(f"[bold]{output}[/bold]: {len(made)} clips, {spoken:.1f} minutes of {len(options.voices)} voices")
