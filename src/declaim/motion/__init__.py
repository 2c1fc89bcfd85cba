"""What all motion methods share: units and targets, windows over speech of any length, pauses, blinks, saved folders.

footage ─► measure ─► Normalizer + Material ─► a method learns
speech ─► encoder ─► windows ─► the method samples normalised motion ─► amplitudes, calm lips, blinks ─► Motion
"""
