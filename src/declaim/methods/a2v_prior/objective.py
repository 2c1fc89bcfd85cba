"""What the prior learns: a lip space shared with speech, a non-lip space apart from it, a distribution over that.

Of the paper only the ideas are public (contrastive lip space, embedding orthogonal to audio, x0 prior with a velocity
loss); the forms and weights are ours.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from declaim.diffusion.losses import masked_mean
from declaim.motion.independence import mean_squared_correlation


def orthogonality_loss(
    embedding: Float[Tensor, "batch frames columns"],
    speech: Float[Tensor, "batch frames embedding"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Mean squared correlation between every number of the non-lip embedding and every one of the speech's.

    Paper: Talking Head Generation with Probabilistic Audio-to-Visual Diffusion Priors (ICCV 2023), disentangled non-lip
    representation.
    """
    return mean_squared_correlation(embedding, speech.detach(), mask)


def whiteness_loss(
    embedding: Float[Tensor, "batch frames columns"], mask: Bool[Tensor, "batch frames"]
) -> Float[Tensor, ""]:
    """Mean squared difference of the embedding's second moments from the identity matrix."""
    counted = embedding[mask]
    moments = counted.T @ counted / max(len(counted), 1)
    return (moments - torch.eye(len(moments), device=moments.device)).square().mean()


def autoregressive_prior_loss(
    clean: Float[Tensor, "batch frames columns"],
    mean: Float[Tensor, "batch frames columns"],
    log_variance: Float[Tensor, "batch frames columns"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Negative logarithm of the likelihood of every frame given those before, constants left out."""
    error = (clean - mean).square() * torch.exp(-log_variance)
    return 0.5 * masked_mean(error + log_variance, mask)
