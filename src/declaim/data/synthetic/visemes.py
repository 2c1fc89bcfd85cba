r"""Mouths for phonemes in time: every phoneme has a target for the lips and a say in the frames around it.

    dominance
       |      b   \      /  AH  \     /   m
       |    ___    \    /  ____  \   /  _____         weight of a phoneme: its strength within, falling off
       |___/___\____\__/__/____\__\_/__/_____\___     before and after it; the mouth is the
            frames ->                                 weighted mean of the targets

Targets, strengths, rates and lags are fitted to people's tracked lips by the recipe ``visemes``.
After Cohen and Massaro, Modeling coarticulation in synthetic visual speech (1993).
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from declaim.assets import shipped
from declaim.audio.phonemes import BILABIALS, Phoneme
from declaim.pretrained import (
    CARD_FILE,
    WEIGHTS_FILE,
    atomic_folder,
    load_into,
    load_tensors,
    read_config,
    save_tensors,
    write_config,
)
from declaim.timebase import FPS

KIND = "visemes"
SILENCE = "SIL"
PHONEMES = (
    "SIL", "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH",
    "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
)  # fmt: skip
"""The 39 phonemes of the CMU dictionary (ARPAbet without stress), silence first."""
_FALL = 4.0
_LAG_S = 0.1
_REACH_S = 0.12
"""Beyond this distance a phoneme's say falls off faster still: a long silence is silent."""
_CLOSING = 3.0
"""Least strength of p, b and m. Lips that must meet do: between short open vowels the fit alone leaves them apart."""
_CLOSING_FALL = 15.0
"""Least rate at which that falls off, so that the vowels beside them stay open."""
N_EXPRESSION = 64


class Visemes(nn.Module):
    """Lip motion from phonemes.

    Parameters, one row a phoneme:
        targets: b of the mouth that it aims at.
        strength: logarithm of its dominance.
        before, after: how fast that falls off ahead of it and behind it (through softplus, per quarter second).
        lag: how much earlier the lips are (through tanh, up to 0.1 s).
    """

    def __init__(self) -> None:
        super().__init__()
        n = len(PHONEMES)
        self.targets = nn.Parameter(torch.zeros(n, N_EXPRESSION))
        self.strength = nn.Parameter(torch.zeros(n))
        self.before = nn.Parameter(torch.full((n,), 3.0))
        self.after = nn.Parameter(torch.full((n,), 3.0))
        self.lag = nn.Parameter(torch.zeros(n))
        closing = torch.tensor([name in BILABIALS for name in PHONEMES])
        self.least: Tensor
        self.register_buffer("least", torch.where(closing, _CLOSING, -torch.inf), persistent=False)
        self.steepest: Tensor
        self.register_buffer("steepest", torch.where(closing, _CLOSING_FALL, 0.0), persistent=False)

    def dominance(
        self,
        ids: Int64[Tensor, " phonemes"],
        starts: Float[Tensor, " phonemes"],
        stops: Float[Tensor, " phonemes"],
        n_frames: int,
    ) -> Float[Tensor, "frames phonemes"]:
        """Share of every phoneme in every frame's mouth; rows sum to 1.

        Args:
            ids: places in `PHONEMES`.
            starts: seconds.
            stops: seconds.
            n_frames: frames wanted, at 25 fps.
        """
        at = (torch.arange(n_frames) + 0.5)[:, None] / float(FPS)
        lag = _LAG_S * torch.tanh(self.lag[ids])
        early, late = (starts - lag - at).clamp(min=0.0), (at - (stops - lag)).clamp(min=0.0)
        before, after = (nn.functional.softplus(rate) for rate in (self.before, self.after))
        fallen = early * torch.maximum(before, self.steepest)[ids] + late * torch.maximum(after, self.steepest)[ids]
        far = ((early + late) / _REACH_S).square()
        strength = torch.maximum(self.strength, self.least)[ids]
        return torch.softmax(strength - _FALL * fallen - far, 1)

    def forward(
        self,
        ids: Int64[Tensor, " phonemes"],
        starts: Float[Tensor, " phonemes"],
        stops: Float[Tensor, " phonemes"],
        n_frames: int,
    ) -> Float[Tensor, "frames expression"]:
        """Expressions b (lips alone) of ``n_frames`` frames; arguments as of `dominance`."""
        return self.dominance(ids, starts, stops, n_frames) @ self.targets[ids]

    @torch.inference_mode()
    def mouth(self, phonemes: Sequence[Phoneme], n_frames: int) -> Float[Tensor, "frames expression"]:
        """Expressions b (lips alone) for phonemes in time."""
        made: Tensor = self(*spans(phonemes), n_frames)
        return made.clone()

    def save_pretrained(self, folder: Path, card: str = "") -> None:
        """Write a folder that `from_pretrained` reads."""
        with atomic_folder(Path(folder)) as partial:
            write_config(partial, {"kind": KIND, "phonemes": list(PHONEMES)})
            save_tensors(partial / WEIGHTS_FILE, self.state_dict())
            (partial / CARD_FILE).write_text(card, encoding="utf-8")

    @classmethod
    def from_pretrained(cls, folder: Path | None = None) -> "Visemes":
        """Load a saved folder, or the visemes that ship with declaim.

        Raises:
            CheckpointError: no such folder, or one of another version.
        """
        folder = shipped(KIND) if folder is None else Path(folder)
        read_config(folder, KIND)
        visemes = cls()
        load_into(visemes, load_tensors(folder / WEIGHTS_FILE), folder)
        return visemes.eval()


def spans(
    phonemes: Sequence[Phoneme],
) -> tuple[Int64[Tensor, " phonemes"], Float[Tensor, " phonemes"], Float[Tensor, " phonemes"]]:
    """Places in `PHONEMES`, starts and stops in seconds; names that are no speech count as silence."""
    ids = [PHONEMES.index(p.name) if p.name in PHONEMES else 0 for p in phonemes]
    starts, stops = [p.start_s for p in phonemes], [p.stop_s for p in phonemes]
    return torch.tensor(ids, dtype=torch.int64), torch.tensor(starts), torch.tensor(stops)
