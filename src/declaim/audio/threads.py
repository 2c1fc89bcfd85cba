"""A second thread for work that somebody waits for: torch lets other threads run while it computes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import torch
from torch import Tensor


class Threads:
    """This thread alone, or a second one beside it; for inference.

    Args:
        second: whether there is a second one.
    """

    def __init__(self, *, second: bool) -> None:
        # A thread takes over torch's number of threads when it asks for it; until then MKL uses all cores.
        self._second = ThreadPoolExecutor(1, "declaim-second", torch.get_num_threads) if second else None

    def __enter__(self) -> "Threads":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._second is not None:
            self._second.shutdown()

    def beside(self, work: Callable[..., Tensor], *values: Tensor) -> Callable[[], Tensor]:
        """Begin ``work`` in the second thread, or do it at once; calling what this gives gives the result."""
        if self._second is None:
            done = work(*values)
            return lambda: done
        return self._second.submit(torch.inference_mode()(work), *values).result

    def halved(self, work: Callable[..., Tensor], *rows: Tensor) -> Tensor:
        """``work`` of tensors, each row (of dimension 1) of which it treats on its own: half of them in each thread."""
        if self._second is None:
            return work(*rows)
        first, second = zip(*(each.tensor_split(2, 1) for each in rows), strict=True)
        others = self.beside(work, *second)
        return torch.cat([work(*first), others()], 1)


ALONE = Threads(second=False)
