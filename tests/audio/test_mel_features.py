import torch

from declaim.audio.mel_features import MelFeatures
from declaim.audio.prosody import prosody
from declaim.types import Speech


def tone(hertz, seconds):
    return 0.3 * torch.sin(2 * torch.pi * hertz * torch.arange(round(seconds * 16000)) / 16000)


def test_a_tone_lights_its_own_bands_in_every_step_and_prosody_follows():
    samples = torch.cat([tone(300, 1.0), tone(3000, 1.0)])
    features = MelFeatures().encode(Speech(samples, 16000))
    assert features.shape == (50, MelFeatures.dim)
    bands = features[:, :320].view(50, 4, 80).argmax(-1)
    assert bands[1:24].float().std() == 0
    assert bands[26:-1].float().std() == 0
    assert bands[30, 0] > bands[10, 0]
    torch.testing.assert_close(features[:, 320:], prosody(samples))
