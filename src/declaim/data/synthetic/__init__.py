"""Synthetic speech with known phonemes, and mouth motion for it."""
