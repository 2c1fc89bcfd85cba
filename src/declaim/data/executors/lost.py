"""The outcome of an item whose workers died."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerLost:
    """An item could not be finished: every worker that tried it was killed.

    Attributes:
        attempts: how many workers tried.
        detail: what is known about the end of the last one.
    """

    attempts: int
    detail: str

    @property
    def reason(self) -> str:
        """One sentence for people."""
        return (
            f"the worker died {self.attempts} times ({self.detail}); is the machine short of memory? "
            "run the same command again to retry it"
        )
