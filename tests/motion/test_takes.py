import gc

import torch
from players import Deaf, Ear, Player, speech

from declaim.face.anatomy import lip_directions
from declaim.face.model import FaceModel
from declaim.motion.hearing import Hearing
from declaim.motion.takes import performances


def test_every_take_is_what_its_seed_gives_alone():
    method, said = Player(), speech()
    takes = list(performances(method, said, [7, 8, 9]))
    assert method.encoder.heard == 1
    for seed, take in zip([7, 8, 9], takes, strict=True):
        assert torch.equal(take.values, method.generate(said, seed=seed).values)


def test_takes_are_made_when_they_are_asked_for():
    method, seen = Player(), []
    made = performances(method, speech(), [0, 1, 2], on_step=lambda done, total: seen.append((done, total)))
    next(made)
    assert method.made == 1 and seen == [(10, 30)]
    list(made)
    assert seen[-1] == (30, 30)


def test_same_lips_are_the_first_takes_and_the_rest_differs():
    basis = torch.linalg.qr(lip_directions(FaceModel.from_pretrained()).double()).Q
    method = Player()
    free = list(performances(method, speech(), [0, 1, 2]))
    same = list(performances(method, speech(), [0, 1, 2], same_lips=True))
    assert torch.equal(same[0].values, free[0].values)
    wanted = free[0]["expression"].double() @ basis
    for other, own in zip(same[1:], free[1:], strict=True):
        b = other["expression"].double()
        torch.testing.assert_close(b @ basis, wanted, atol=1e-6, rtol=0)
        across = b - b @ basis @ basis.T
        alone = own["expression"].double()
        torch.testing.assert_close(across, alone - alone @ basis @ basis.T, atol=1e-6, rtol=0)
        assert torch.equal(other["rotation"], own["rotation"])
        assert not torch.equal(other["rotation"], free[0]["rotation"])


def test_methods_that_hear_for_themselves_have_takes_too():
    takes = list(performances(Deaf(), speech(), [2, 5]))
    assert [float(take.values[0, 0]) for take in takes] == [2.0, 5.0]


def test_features_go_when_the_speech_does():
    hearing, encoder, said = Hearing(), Ear(), speech()
    hearing.generate(Player(0, encoder), said)
    hearing.generate(Player(1, encoder), said)
    assert encoder.heard == 1 and len(hearing._features) == 1
    del said
    gc.collect()
    assert len(hearing._features) == 0
