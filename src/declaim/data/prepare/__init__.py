"""A folder of videos becomes a corpus: see `prepare_source` for one file, `prepare_corpus` for all of them."""

from declaim.data.prepare.options import PrepareOptions, Source
from declaim.data.prepare.source import prepare_source
from declaim.data.prepare.sources import find_sources
from declaim.data.prepare.whole import Summary, prepare_corpus
from declaim.data.tempo import at_tempo, motion_at_tempo

__all__ = [
    "PrepareOptions",
    "Source",
    "Summary",
    "at_tempo",
    "find_sources",
    "motion_at_tempo",
    "prepare_corpus",
    "prepare_source",
]
