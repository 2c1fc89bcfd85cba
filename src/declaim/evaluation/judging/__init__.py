"""Generating, judging and drawing: the part of an evaluation whose code decides the numbers."""
