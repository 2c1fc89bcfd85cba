import threading

import pytest
import torch

from declaim.audio.threads import ALONE, Threads


def helpers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("declaim-second")]


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_halves_make_the_whole(rows):
    seen = set()

    def work(a, b):
        seen.add((threading.current_thread().name, a.shape[1]))
        return a + b[..., :1]

    a, b = torch.randn(1, rows, 3), torch.randn(1, rows, 2)
    with Threads(second=True) as threads:
        assert torch.equal(threads.halved(work, a, b), a + b[..., :1])
    assert len({name for name, _ in seen}) == 2
    assert sum(count for _, count in seen) == rows
    assert not helpers()


def test_without_a_second_thread_this_one_does_everything():
    assert torch.equal(ALONE.halved(torch.neg, torch.ones(1, 3)), -torch.ones(1, 3))
    assert torch.equal(ALONE.beside(torch.neg, torch.ones(2))(), -torch.ones(2))
    assert not helpers()


def test_what_the_second_thread_raises_comes_through():
    with Threads(second=True) as threads:
        broken = threads.beside(torch.linalg.inv, torch.zeros(2, 2))
        with pytest.raises(RuntimeError, match="singular"):
            broken()
    assert not helpers()
