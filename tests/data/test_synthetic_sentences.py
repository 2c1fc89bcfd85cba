"""Sentences: the same for the same seed, varied, and speakable."""

import numpy as np

from declaim.data.synthetic.sentences import sentence


def _some(seed, n=300):
    rng = np.random.default_rng(seed)
    return [sentence(rng) for _ in range(n)]


def test_same_seed_same_sentences_other_seed_others():
    assert _some(3) == _some(3)
    assert set(_some(3)).isdisjoint(_some(4)[:50])


def test_sentences_are_whole_and_varied():
    made = _some(0)
    assert len(set(made)) > 0.97 * len(made)
    for text in made:
        assert text[0].isupper()
        assert text[-1] in ".!?"
        assert not set("{}|;:") & set(text)
        assert "  " not in text
    words = {word.strip(".,!?").lower() for text in made for word in text.split()}
    assert len(words) > 350


def test_bilabials_are_common():
    text = "".join(_some(0)).lower()
    assert (text.count("p") + text.count("b") + text.count("m")) / sum(c.isalpha() for c in text) > 0.07
