"""Ridge regression in closed form, with held-out groups: every group is predicted by a fit to all the others."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def deal(names: Sequence[str], folds: int) -> list[int]:
    """A group number for every entry, the same for equal names; names are dealt out in a fixed shuffled order."""
    distinct = sorted(set(names))
    order = torch.randperm(len(distinct), generator=torch.Generator().manual_seed(0)).tolist()
    group = {distinct[place]: i % folds for i, place in enumerate(order)}
    return [group[name] for name in names]


class Ridge:
    """Normal equations of grouped sequences; solved for all of them or all but one group.

    Args:
        penalty: weight of the squared slopes, in (weighted) frames.
    """

    def __init__(self, penalty: float) -> None:
        self.penalty = penalty
        self._gram: dict[int, Tensor] = {}
        self._moment: dict[int, Tensor] = {}

    def add(
        self, group: int, inputs: Float[Tensor, "frames inputs"], outputs: Float[Tensor, "frames outputs"],
        weight: float = 1.0,
    ) -> None:  # fmt: skip
        """Take in a sequence of ``group``, each of its frames counting ``weight``."""
        gram, moment = (weight * (inputs.T @ values).double() for values in (inputs, outputs))
        self._gram[group] = self._gram[group] + gram if group in self._gram else gram
        self._moment[group] = self._moment[group] + moment if group in self._moment else moment

    def solve(self, without: int | None = None) -> Float[Tensor, "inputs outputs"]:
        """Slopes fitted to every group, or to every group but ``without`` (to that one too if it is alone)."""
        used = [g for g in self._gram if g != without] or list(self._gram)
        dim = len(self._gram[used[0]])
        gram = torch.stack([self._gram[g] for g in used]).sum(0) + self.penalty * torch.eye(dim, dtype=torch.float64)
        slopes: Tensor = torch.linalg.solve(gram, torch.stack([self._moment[g] for g in used]).sum(0))
        return slopes.float()
