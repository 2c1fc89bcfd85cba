"""Figures on held-out speakers while training: how well generated lips follow the truth, and how much they move."""

from collections import defaultdict
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor

from declaim.metrics.functional.lip import mouth_correlation

Figures = dict[str, float]
Curves = tuple[str, Float[Tensor, " _"], Float[Tensor, " _"]]
"""Speaker, generated opening (frames,), true opening (frames,)."""


def mouth_figures(curves: Iterable[Curves]) -> Figures:
    """Correlation and amplitude ratio of the mouth's opening, averaged by speaker.

    Args:
        curves: of every clip and seed.
    """
    correlations: dict[str, list[float]] = defaultdict(list)
    spreads: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for speaker, generated, truth in curves:
        correlations[speaker].append(float(mouth_correlation(generated, truth)))
        spreads[speaker].append((float(generated.std()), float(truth.std())))
    ratios = [sum(g for g, _ in pairs) / sum(t for _, t in pairs) for pairs in spreads.values()]
    means = [sum(values) / len(values) for values in correlations.values()]
    return {"mouth_correlation": sum(means) / len(means), "mouth_amplitude": sum(ratios) / len(ratios)}
