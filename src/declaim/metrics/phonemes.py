"""Forced alignment lives in `declaim.audio.phonemes`, where data preparation can reach it too."""

from declaim.audio.phonemes import BILABIALS, STEP_S, Phoneme, align, frame_spans, grid_words

__all__ = ["BILABIALS", "STEP_S", "Phoneme", "align", "frame_spans", "grid_words"]
