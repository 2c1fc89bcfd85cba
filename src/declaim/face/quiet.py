"""Keeps MediaPipe's start-up chatter off the terminal without hiding anything else."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_CHATTER = re.compile(
    rb"^(WARNING: (All log messages before absl::InitializeLog|Logging before InitGoogle)"
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate"
    rb"|[IW]\d{4} [\d:.]+\s+\d+ (gl_context|inference_feedback_manager|face_landmarker_graph|landmark_projection"
    rb"|task_runner|init|gpu_))"
)


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back file descriptor 2 in the block; afterwards pass on all that is no known start-up message.

    MediaPipe's C++ part writes there directly, past Python's ``sys.stderr`` and past any logging configuration. If the
    block raises, everything is passed on.
    """
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # no stderr at all: nothing to keep clean
        yield
        return
    failed = True
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held:
                if failed or not _CHATTER.match(line):
                    os.write(2, line)
