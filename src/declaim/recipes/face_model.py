"""Tracks footage, fits the face model to it and measures it.

    python -m declaim.recipes.face_model --footage ../shared/data -o face-model
    python -m declaim.recipes.face_model --footage ../shared/data --measure src/declaim/assets/shipped/face-model

Tracks are kept in the cache folder, so that a run that was interrupted goes on where it stopped. Only the splits
``train`` and ``silent`` enter the fit; the figures are measured on ``eval``.
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from declaim.assets import cache_folder, locate
from declaim.data.manifest import FootageClip, read_manifest
from declaim.data.tracks import cached_track
from declaim.face.canonical import canonical_face
from declaim.face.clip import ClipTrack
from declaim.face.model import FaceModel
from declaim.face.model_fit import fit_face_model
from declaim.recipes.face_model_figures import Figures, figures

FIT_SPLITS = ("train", "silent")
FRAMES_PER_SPEAKER = 1500
"""Frames after which no further clip of a speaker is taken; the fit weighs all speakers the same in any case."""
FEWEST_FRAMES = 10


def load_tracks(clips: Sequence[FootageClip], cache: Path, limit: int | None = None, seed: int = 0) -> list[ClipTrack]:
    """The tracked clips, without the frames that show no face.

    Args:
        clips: footage.
        cache: folder of tracks.
        limit: frames of one speaker after which his further clips are left out; None takes everything.
        seed: decides which clips are taken.
    """
    order = sorted(clips, key=lambda clip: clip.path)
    random.Random(seed).shuffle(order)
    frames: defaultdict[str, int] = defaultdict(int)
    tracks = []
    for clip in order:
        if limit is not None and frames[clip.speaker] >= limit:
            continue
        track = cached_track(clip.path, cache)
        frames[clip.speaker] += len(track)
        if int(track.valid.sum()) >= FEWEST_FRAMES:
            entry = ClipTrack(track.points[track.valid], track.scores[track.valid], track.size, clip.speaker)
            tracks.append((clip.path, entry))
        if len(tracks) % 20 == 0:
            print(f"{len(tracks)} clips tracked", file=sys.stderr)  # noqa: T201 - a command line
    return [track for _, track in sorted(tracks, key=lambda pair: pair[0])]


def card(measured: Figures, tracks: Sequence[ClipTrack], command: str) -> str:
    """The model card."""
    speakers = sorted({track.speaker for track in tracks})
    frames = sum(len(track.points) for track in tracks)
    rows = "\n".join(f"| {name} | {value:.4g} |" for name, value in measured.items())
    return CARD.format(
        n_frames=frames,
        n_clips=len(tracks),
        n_speakers=len(speakers),
        speakers=", ".join(speakers),
        command=command,
        rows=rows,
    )


CARD = """# face-model

Linear face model `S = S_mean + B_id a + B_exp b` over the 478 points of the MediaPipe Face Landmarker: 40 identity
components, 64 expression components, in standard deviations; centimetres in the canonical head frame (x to the viewer's
right, y up, z toward the viewer). `b = 0` is a face at rest: lips closed, eyes open, gaze ahead. Half precision.

| tensor | shape | meaning |
|---|---|---|
| mean | 478, 3 | mean face at rest |
| identity_basis | 40, 478, 3 | shape change for one standard deviation of a |
| expression_basis | 64, 478, 3 | shape change for one standard deviation of b |
| fit_weights | 478, 3 | weight of each coordinate when b is fitted (lips and eyes 3, brows 2, depth times 0.6) |
| stability | 478 | weight of each point in pose estimation (inverse variance in speech) |
| pose_corrective | 5, 478, 3 | the tracker's error at turned heads; taken off tracked shapes, not rendered |
| triangles | 898, 3 | the tracker's mesh |

## Fit

`{command}`

{n_frames} frames in {n_clips} clips of {n_speakers} speakers, at most about 1500 frames each, every speaker with the
same weight, every face also mirrored; seed 0. Splits `train` and `silent` only. Head pose is taken out by weighted
Procrustes analysis onto each clip's rest shape; the rest shape is the mean of the least active tenth of the frames with
the lips brought together; what is left is regressed on head rotation (the corrective) and decomposed into weighted
principal components.

Speakers: {speakers}.

Footage and licences: GRID corpus (CC BY 4.0), HDTF excerpts (CC BY 4.0, US Congress), US Government addresses, and
clips that authors published in permissively licensed repositories (the `source` column of the manifest names each).
The mean face's place, scale and the triangles come from MediaPipe's canonical face (Apache-2.0). No frame of the splits
`eval` or `train-nc` was used. The bases are licensed under Apache-2.0.

## Figures on speakers of the split `eval`, whom the fit never saw

`python -m declaim.recipes.face_model --footage FOOTAGE --measure src/declaim/assets/shipped/face-model`

| figure | value |
|---|---|
{rows}

`explained_*`: share of the pose-free, identity-free variance in three dimensions, mean over speakers.
`arkit_*`: the blendshape network on rebuilt points against the tracker's own scores, mean over jawOpen, mouth*,
eyeBlink*, eyeLook*, brow*; `front`: own rest shape seen from the front; `own_view`: at the clip's mean head rotation;
`mean_identity`: the mean face, each speaker's offset removed. `rotation_*`: share of b's variance that head rotation
explains, and mean absolute correlation, in clips with turning heads, before and after the corrective; `chance`: with
another clip's rotation. `between_people_*`: share of b's variance that lies between people.

## Limits

Points behind the far cheek of a turned head are the tracker's guess. Teeth, tongue and ears are not part of the model.
"""


def main() -> None:
    """Command line of the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, required=True, help="folder with manifest.csv and clips/")
    parser.add_argument("-o", "--output", type=Path, help="folder to write the model to")
    parser.add_argument("--measure", type=Path, help="measure this saved model instead of fitting one")
    parser.add_argument("--cache", type=Path, default=cache_folder() / "tracks", help="where tracks are kept")
    parser.add_argument("--seed", type=int, default=0, help="decides which clips of a speaker are taken")
    arguments = parser.parse_args()
    if (arguments.output is None) == (arguments.measure is None):
        parser.error("give either -o FOLDER or --measure FOLDER")
    tracks: list[ClipTrack] = []
    if arguments.measure is None:
        clips = read_manifest(arguments.footage, FIT_SPLITS)
        tracks = load_tracks(clips, arguments.cache, FRAMES_PER_SPEAKER, arguments.seed)
        model = fit_face_model(tracks, *canonical_face(locate("face-landmarker")))
    else:
        model = FaceModel.from_pretrained(arguments.measure)
    measured = figures(model, load_tracks(read_manifest(arguments.footage, ("eval",)), arguments.cache))
    for name, value in measured.items():
        print(f"{name:36s} {value:.4f}")  # noqa: T201 - a command line
    if arguments.output is not None:
        command = f"python -m declaim.recipes.face_model --footage FOOTAGE -o FOLDER --seed {arguments.seed}"
        model.save_pretrained(arguments.output, card(measured, tracks, command), seed=arguments.seed)


if __name__ == "__main__":
    main()
