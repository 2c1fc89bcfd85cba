import pytest
import torch

from declaim.methods.fd2talk.silence import CLOSING, SHORTEST, lip_gate


@pytest.mark.parametrize("gap", [SHORTEST, 10, 50])
def test_lips_rest_within_pauses_and_move_smoothly(gap):
    active = torch.ones(40 + gap, dtype=torch.bool)
    active[20 : 20 + gap] = False
    gate = lip_gate(active)
    assert bool((gate[:20] == 1).all())
    assert bool((gate[20 + gap :] == 1).all())
    assert float(gate[20 + CLOSING - 1 : 20 + gap - CLOSING + 1].max()) < 1e-6
    assert float(gate.diff().abs().max()) < 0.5


def test_short_pauses_leave_the_lips_alone():
    active = torch.ones(60, dtype=torch.bool)
    active[20 : 20 + SHORTEST - 1] = False
    assert bool((lip_gate(active) == 1).all())
    active[:3] = False
    assert float(lip_gate(active)[0]) < 0.2
    assert not bool(lip_gate(torch.zeros(30, dtype=torch.bool)).any())
    assert lip_gate(torch.zeros(1, dtype=torch.bool)).tolist() == [0]
