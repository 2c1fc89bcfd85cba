"""What the smoothing of tracked motion costs and brings: depth of lip closures and blinks, jitter of a still face.

    python -m benchmarks.tracking -o tracking.json

Closures are local minima of the lips' opening below 15 % of the clip's range, blinks those of the lids' below half of
the clip's median. Jitter is the root mean square second difference over the square root of six (the standard deviation
of white noise) in the stillest nine frames of each clip.
"""

import argparse
import json
import sys
from pathlib import Path

import torch

from benchmarks.footage import DEFAULT_FOOTAGE, clips
from declaim.assets import cache_folder
from declaim.data.tracks import cached_track
from declaim.face.clip import ClipTrack, free_clip
from declaim.face.layouts import LEFT_EYE_LOWER, LEFT_EYE_UPPER
from declaim.face.model import FaceModel
from declaim.face.rest import lip_opening
from declaim.face.track import track_motion

QUIET_FRAMES = 9


def minima(signal: torch.Tensor, below: float) -> torch.Tensor:
    middle = signal[1:-1]
    found = (middle <= signal[:-2]) & (middle < signal[2:]) & (middle < below)
    return torch.nonzero(found)[:, 0] + 1


def lid_opening(shapes: torch.Tensor) -> torch.Tensor:
    return (shapes[:, list(LEFT_EYE_UPPER[1:-1]), 1] - shapes[:, list(LEFT_EYE_LOWER[1:-1]), 1]).mean(1)


def bends(values: torch.Tensor) -> torch.Tensor:
    return (values[2:] - 2 * values[1:-1] + values[:-2]) / 6**0.5


def quietest(expression: torch.Tensor) -> slice:
    energy = bends(expression).square().sum(1)
    return slice(start := int(energy.unfold(0, QUIET_FRAMES, 1).sum(1).argmin()), start + QUIET_FRAMES)


def measure(footage: Path, per_speaker: int) -> dict[str, float]:
    model = FaceModel.from_pretrained()
    lost = {"lip": [], "lid": []}
    kept = {"lip": [0, 0], "lid": [0, 0]}
    jitter = {name: [] for name in ("expression_before", "expression_after", "rotation_before", "rotation_after")}
    for clip in clips(footage, "eval", None, per_speaker):
        track = cached_track(clip.path, cache_folder() / "tracks")
        rest = free_clip(ClipTrack(track.points[track.valid], track.scores[track.valid], track.size), model).rest
        before, after = (track_motion(track, model, smooth=smooth) for smooth in (False, True))
        shapes = [rest + model.offsets(motion["expression"]) for motion in (before, after)]
        for name, opening, level in (("lip", lip_opening, 0.15), ("lid", lid_opening, None)):
            raw, smoothed = (opening(s) for s in shapes)
            floor, top = float(raw.min()), float(raw.max())
            below = floor + level * (top - floor) if level else 0.5 * float(raw.median())
            at = minima(raw, below)
            lost[name].append((smoothed[at] - raw[at]) / (top - floor))
            kept[name][0] += int((smoothed[at] < below).sum())
            kept[name][1] += len(at)
        quiet = quietest(before["expression"])
        for label, motion in (("before", before), ("after", after)):
            for part in ("expression", "rotation"):
                jitter[f"{part}_{label}"].append(bends(motion[part])[quiet].square().mean().sqrt())
    result = {f"jitter_{name}": float(torch.stack(values).mean()) for name, values in jitter.items()}
    for name, parts in lost.items():
        shares = torch.cat(parts)
        result |= {
            f"{name}_closures": float(len(shares)),
            f"{name}_closure_lost_share_of_range": float(shares.mean()),
            f"{name}_closure_lost_worst_tenth": float(torch.quantile(shares, 0.9)),
            f"{name}_closures_kept": kept[name][0] / kept[name][1],
        }
    return result


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, default=DEFAULT_FOOTAGE)
    parser.add_argument("--per-speaker", type=int, default=12, help="clips of each eval speaker")
    parser.add_argument("-o", "--output", type=Path, help="JSON file")
    chosen = parser.parse_args(arguments)
    text = json.dumps(measure(chosen.footage, chosen.per_speaker), indent=2)
    if chosen.output:
        chosen.output.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
