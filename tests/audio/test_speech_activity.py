import gc

import torch

from declaim.audio.activity import _known, pauses, speech_activity
from declaim.types import Speech


def talk(spans, seconds, noise=0.0003):
    """Loud noise within spans (seconds), faint noise elsewhere."""
    generator = torch.Generator().manual_seed(0)
    samples = torch.randn(int(seconds * 16000), generator=generator)
    loud = torch.full_like(samples, noise)
    for start, stop in spans:
        loud[int(start * 16000) : int(stop * 16000)] = 0.2
    return Speech(samples * loud, 16000)


def test_speech_is_told_from_pauses():
    active = speech_activity(talk([(0.4, 1.0), (2.0, 3.0)], 4.0))
    assert pauses(active) == [(0, 10), (25, 50), (75, 100)]
    assert not bool(speech_activity(Speech(torch.zeros(32_000), 16000)).any())
    assert bool(speech_activity(talk([(0, 2)], 2.0)).all())


def test_rumble_and_clicks_are_no_speech():
    speech = talk([(1.0, 2.0)], 4.0)
    time = torch.arange(len(speech.samples)) / 16000
    rumbling = Speech(speech.samples + 0.05 * (2 * torch.pi * 20 * time).sin(), 16000)
    assert pauses(speech_activity(rumbling)) == [(0, 25), (50, 100)]
    clicking = Speech(rumbling.samples.clone(), 16000)
    clicking.samples[48_000:48_200] = 0.5
    assert pauses(speech_activity(clicking)) == [(0, 25), (50, 100)]


def test_threshold_follows_the_neighbourhood():
    soft, loud = talk([(0.5, 19.5)], 60.0), talk([(40.5, 59.5)], 60.0)
    active = speech_activity(Speech(0.03 * soft.samples + loud.samples, 16000))
    assert float(active[25 : 19 * 25].float().mean()) > 0.95
    alone = speech_activity(Speech((0.03 * soft.samples + loud.samples)[: 20 * 16000], 16000))
    assert torch.equal(active[:100], alone[:100]) or float((active[:100] == alone[:100]).float().mean()) > 0.97


def test_a_speech_is_metered_once(monkeypatch):
    said, reads = talk([(0.4, 1.0)], 2.0), []
    monkeypatch.setattr(Speech, "blocks", lambda self: reads.append(1) or iter(self.samples.split(999)))
    first = speech_activity(said)
    assert torch.equal(speech_activity(said), first) and len(reads) == 1
    assert torch.equal(speech_activity(Speech(said.samples, 16000)), first) and len(reads) == 2
    del said
    gc.collect()
    assert len(_known) < 2  # nothing is kept of a speech that nobody holds
