"""The paper's equations 1 to 11: the parts of motion, the branches' regularisers, the diffusion process, the losses."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from declaim.diffusion.losses import masked_mean, x0_loss
from declaim.motion.independence import mean_squared_correlation


def whole_motion(
    pose: Float[Tensor, "*batch columns"], rhythm: Float[Tensor, "*batch columns"]
) -> Float[Tensor, "*batch columns"]:
    """F: the content-related main motion and the rhythmic one, added.

    Paper: SDM (APWeb-WAIM 2022), eq. 1.
    """
    return pose + rhythm


def latent_before(
    change: Float[Tensor, "*batch latent"], latent: Float[Tensor, "*batch latent"]
) -> Float[Tensor, "*batch latent"]:
    """The previous frame's latent: this frame's without the change that led to it; what is decoded of it is eq. 3.

    Paper: SDM (APWeb-WAIM 2022), eq. 3.
    """
    return latent - change


def regularisation_loss(
    motion: Float[Tensor, "batch frames columns"],
    reconstructed: Float[Tensor, "batch frames columns"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Squared error of every frame's and of its predecessor's motion, encoded and decoded.

    Deviation: the paper prints the latent M where only the motion F has the decoder's size.

    Paper: SDM (APWeb-WAIM 2022), eq. 4.
    """
    both = mask[:, 1:] & mask[:, :-1]
    this, before = ((motion[:, s], reconstructed[:, s]) for s in (slice(1, None), slice(None, -1)))
    return x0_loss(*this, both) + x0_loss(*before, both)


def printed_independence_loss(
    rhythm: Float[Tensor, "batch frames latent"],
    pose: Float[Tensor, "batch frames latent"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Squared distance of the branches' latents, as printed: it is least where both are the same.

    Paper: SDM (APWeb-WAIM 2022), eq. 5.
    """
    return x0_loss(pose, rhythm, mask)


def independence_loss(
    rhythm: Float[Tensor, "batch frames latent"],
    pose: Float[Tensor, "batch frames latent"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Mean squared correlation of the branches' latents: least where neither tells anything (linear) of the other.

    Deviation: what the text asks for ("independent"), not what is printed.

    Paper: SDM (APWeb-WAIM 2022), eq. 5.
    """
    return mean_squared_correlation(rhythm, pose, mask)


def transition(
    before: Float[Tensor, "*shape"], eps: Float[Tensor, "*shape"], variance: float
) -> Float[Tensor, "*shape"]:
    """A draw from q(F^t | F^(t-1)).

    Args:
        before: F^(t-1).
        eps: standard normal noise.
        variance: the paper's alpha_t, elsewhere called beta_t.

    Paper: SDM (APWeb-WAIM 2022), eq. 7.
    """
    return (1.0 - variance) ** 0.5 * before + variance**0.5 * eps


def diffusion_chain(
    clean: Float[Tensor, "*shape"], eps: Float[Tensor, "steps *shape"], variances: Float[Tensor, " steps"]
) -> Float[Tensor, "steps *shape"]:
    """A draw of F^1 .. F^T given F^0, one transition after the other.

    Training needs single steps, which `declaim.diffusion.parameterization.q_sample` gives at once.

    Paper: SDM (APWeb-WAIM 2022), eq. 6.
    """
    chain = []
    for noise, variance in zip(eps, variances.tolist(), strict=True):
        clean = transition(clean, noise, variance)
        chain.append(clean)
    return torch.stack(chain)


def diffusion_loss(
    clean: Float[Tensor, "batch frames columns"],
    estimate: Float[Tensor, "batch frames columns"],
    alpha_bar: float,
    alpha_bar_next: float,
) -> Float[Tensor, ""]:
    """Divergence of the modelled reverse step from the true one, both of the true one's variance.

    It is the estimate's squared error times half the difference of the signal-to-noise ratios after and before the
    step. Training leaves that factor out (`declaim.diffusion.losses.x0_loss`), as DDPM does.

    Args:
        clean: F^0.
        estimate: of it.
        alpha_bar: level before the reverse step.
        alpha_bar_next: level after it, larger, below 1.

    Paper: SDM (APWeb-WAIM 2022), eq. 9.
    """
    gain = alpha_bar_next / (1.0 - alpha_bar_next) - alpha_bar / (1.0 - alpha_bar)
    return 0.5 * gain * (clean - estimate).square().sum((1, 2)).mean()


def reconstruction_loss(
    motion: Float[Tensor, "batch frames columns"],
    estimate: Float[Tensor, "batch frames columns"],
    mask: Bool[Tensor, "batch frames"],
) -> Float[Tensor, ""]:
    """Squared error of generated motion.

    Paper: SDM (APWeb-WAIM 2022), eq. 10.
    """
    return x0_loss(motion, estimate, mask)


def total_loss(
    reg: Float[Tensor, ""], ind: Float[Tensor, ""], rec: Float[Tensor, ""], weights: tuple[float, float, float]
) -> Float[Tensor, ""]:
    """The three losses, weighted by lambda 1, 2 and 3.

    Paper: SDM (APWeb-WAIM 2022), eq. 11.
    """
    return weights[0] * reg + weights[1] * ind + weights[2] * rec


def mode_loss(
    mean: Float[Tensor, "batch modes mode"],
    log_variance: Float[Tensor, "batch modes mode"],
    mask: Bool[Tensor, "batch modes"],
) -> Float[Tensor, ""]:
    """Divergence of pose modes found in real motion from a standard normal distribution, per number.

    Deviation: the paper does not say how its latent space comes to be one that can be sampled from.
    """
    return masked_mean(0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance), mask)


def boundary_loss(
    real: Float[Tensor, "batch frames"], guessed: Float[Tensor, "batch frames"], mask: Bool[Tensor, "batch frames"]
) -> Float[Tensor, ""]:
    """Cross-entropy of telling noised real motion from the branches' noised motion, from logits of "real".

    Args:
        real: logits of noised real motion.
        guessed: logits of the branches' noised motion.
        mask: frames that count: padding and heads that are kept still would give the real ones away.

    Paper: DiffSinger (Liu et al. 2022), section 3.3, boundary prediction.
    """
    return masked_mean(0.5 * (functional.softplus(-real) + functional.softplus(guessed))[..., None], mask)
