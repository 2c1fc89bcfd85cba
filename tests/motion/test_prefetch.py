import threading

import pytest

from declaim.motion.prefetch import one_ahead


def test_the_same_items_in_order_made_one_ahead_in_another_thread():
    made, second = [], threading.Event()

    def items():
        for i in range(4):
            made.append((i, threading.current_thread()))
            if i == 1:
                second.set()
            yield i

    got = []
    for i in one_ahead(items()):
        if i == 0:
            assert second.wait(10)  # the next is made while this one is in use
        got.append(i)
        assert len(made) <= i + 2
    assert got == [0, 1, 2, 3]
    assert all(thread is not threading.main_thread() for _, thread in made)


def test_the_first_item_is_made_before_it_is_asked_for():
    begun = threading.Event()

    def items():
        begun.set()
        yield 1

    ahead = one_ahead(items())
    assert begun.wait(10)
    assert list(ahead) == [1]


def test_what_making_raises_comes_through_in_its_place():
    def items():
        yield 1
        raise ValueError("broken piece")

    ahead = one_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="broken piece"):
        next(ahead)
    assert not [t for t in threading.enumerate() if t.name.startswith("declaim-ahead")]


def test_stopping_early_leaves_no_thread():
    ahead = one_ahead(iter(range(100)))
    next(ahead)
    ahead.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("declaim-ahead")]
