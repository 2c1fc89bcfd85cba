"""Synthetic speech with known phonemes, and mouth motion for it."""

from declaim.data.synthetic.build import SynthesisOptions, corpus_phonemes, synthesize
from declaim.data.synthetic.visemes import Visemes

__all__ = ["SynthesisOptions", "Visemes", "corpus_phonemes", "synthesize"]
