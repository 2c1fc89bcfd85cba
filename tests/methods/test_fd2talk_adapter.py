import torch

from declaim.methods.fd2talk.adapter import adapt, lip_labels


def clips(n, dim=8):
    """Speakers whose lips follow their speech in one way, each with a habit of his own that helps nobody else."""
    generator = torch.Generator().manual_seed(0)
    way = torch.randn(dim - 4, 10, generator=generator)
    made = []
    for i in range(n):
        speech = torch.randn(150, dim, generator=generator)
        habit = torch.randn(dim - 4, 10, generator=generator)
        lips = speech[:, :-4] @ (way + 0.5 * habit)
        made.append((f"s{i}", speech, lip_labels(lips, lips[:, 0])))
    return made


def test_guesses_are_made_without_the_speaker_himself():
    speakers, features, labels = zip(*clips(12), strict=True)
    adapted = adapt(speakers, features, labels)
    assert adapted.projection.shape == (8, 16)
    crossed = torch.cat(adapted.heard)[:, :10]
    known = torch.cat([f @ adapted.projection for f in features])[:, :10]
    truth = torch.cat(labels)[:, :10]

    def agreement(guess):
        pairs = zip(guess.T, truth.T, strict=True)
        return float(torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).mean())

    assert 0.6 < agreement(crossed) < agreement(known)


def test_prosody_is_passed_on_and_guesses_have_unit_spread():
    speakers, features, labels = zip(*clips(6), strict=True)
    adapted = adapt(speakers, features, labels)
    pooled = torch.cat(adapted.heard)
    torch.testing.assert_close(pooled.std(0), torch.ones(16), atol=1e-3, rtol=0)
    loudness, heard = features[0][:, -4], adapted.heard[0][:, -4]
    torch.testing.assert_close(heard / loudness, (heard / loudness)[:1].expand(150), atol=1e-3, rtol=1e-3)


def test_labels_tell_closed_lips():
    opening = torch.tensor([0.0, 0.1, 1.0, 0.9, 0.05])
    labels = lip_labels(torch.zeros(5, 10), opening)
    assert labels.shape == (5, 12)
    assert labels[:, 10].tolist() == [1, 1, 0, 0, 1]
    assert lip_labels(torch.zeros(1, 10), torch.zeros(1)).shape == (1, 12)
