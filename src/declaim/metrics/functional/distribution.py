"""How far two sets of pictures lie apart, seen through a network: Frechet distance of feature vectors (FID)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from declaim.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Mean and covariance of a set of vectors.

    Attributes:
        mean: mean vector.
        covariance: with n - 1 in the denominator.
        count: how many vectors.
    """

    mean: Float[Tensor, " dim"]
    covariance: Float[Tensor, "dim dim"]
    count: int

    @classmethod
    def of(cls, vectors: Float[Tensor, "n dim"]) -> "Gaussian":
        """Of a set of vectors, in double precision.

        Raises:
            ConfigError: fewer than two vectors.
        """
        if len(vectors) < 2:
            raise ConfigError(f"a covariance needs two vectors or more, got {len(vectors)}")
        data = vectors.double()
        centred = data - data.mean(0)
        return cls(data.mean(0), centred.T @ centred / (len(data) - 1), len(data))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Squared Frechet distance ``|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^1/2)``: 0 for equal Gaussians.

    Biased upwards, the more the fewer vectors: compare only sets of one size, through one network, and quote both.
    The trace of the root is the sum of the roots of the eigenvalues of ``A^1/2 B A^1/2``, which is symmetric, so
    neither complex numbers nor an offset on singular covariances are needed.

    Paper: Heusel et al. (NeurIPS 2017), eq. 6
    """
    values, vectors = torch.linalg.eigh(a.covariance)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    inner = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp(min=0)
    spread = a.covariance.trace() + b.covariance.trace() - 2 * inner.sqrt().sum()
    return float((a.mean - b.mean).square().sum() + spread.clamp(min=0))


def fid(generated: Float[Tensor, "n dim"], truth: Float[Tensor, "m dim"]) -> float:
    """`frechet_distance` of two sets of feature vectors."""
    return frechet_distance(Gaussian.of(generated), Gaussian.of(truth))
