"""What the sync expert learns: of all offsets within a clip, to tell the one at which sound and picture agree.

Windows of other clips are no negatives: with them (weight .3 and 1) held-out speakers' .4 s windows were judged no
better (.885 and .878 of them right at equal error, against .889), and they invite to tell voices from faces.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

NEAR = 2
"""Windows that start less than this many frames apart are no negatives of each other: they are nearly the same."""
REACH = 15
"""Windows that start further apart are none either: they are too easy."""
_BARRED = -1e4


def contrastive(
    speech: Float[Tensor, "rows windows dim"],
    picture: Float[Tensor, "rows windows dim"],
    counts: Bool[Tensor, "rows windows"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, " rows"]:
    """Cross-entropy of the matching window among its neighbours, both ways, averaged over the windows that count.

        window of the picture    0  1  2  3  4  5  6 ...      + the match of speech window 3
        speech window 3          -  -  .  +  .  -  -          - negatives,  . left out

    Args:
        speech: unit embeddings of the speech windows.
        picture: of what is seen in the same windows.
        counts: windows in which the face was seen.
        scale: what cosines are multiplied with (inverse temperature).

    Paper: FD2Talk (MM 2024) trains its lip expert contrastively; this form is InfoNCE (van den Oord et al. 2018).
    """
    place = torch.arange(speech.shape[1], device=speech.device)
    apart = (place[:, None] - place[None]).abs()
    unused = ((apart > 0) & (apart < NEAR)) | (apart > REACH) | ~(counts[:, :, None] & counts[:, None])
    match = torch.eye(len(place), dtype=torch.bool, device=speech.device)
    cosines = (speech @ picture.transpose(1, 2) * scale).masked_fill(unused & ~match, _BARRED)
    heard, seen = (-cosines.log_softmax(axis).diagonal(dim1=1, dim2=2) for axis in (1, 2))
    return _mean((heard + seen) / 2, counts)


def unlikeness(
    picture: Float[Tensor, "rows windows dim"],
    motion: Float[Tensor, "rows windows dim"],
    counts: Bool[Tensor, "rows windows"],
) -> Float[Tensor, " rows"]:
    """Mean of one minus the cosine: the picture head is drawn to where the motion head puts the same window."""
    return _mean(1.0 - functional.cosine_similarity(picture, motion.detach(), dim=-1), counts)


def _mean(values: Float[Tensor, "rows windows"], counts: Bool[Tensor, "rows windows"]) -> Float[Tensor, " rows"]:
    weight = counts.to(values.dtype)
    return (values * weight).sum(1) / weight.sum(1).clamp(min=1.0)
