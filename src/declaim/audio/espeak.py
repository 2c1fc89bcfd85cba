"""English text to phonetic letters with eSpeak NG: the library from pip, or the program of the system.

The package ``espeakng-loader`` brings the library and its data; without it the program ``espeak-ng`` is called.
"""

import ctypes
import re
import shutil
import subprocess
from functools import cache
from importlib.metadata import version
from typing import Literal

from declaim.errors import ConfigError

Accent = Literal["en-us", "en-gb"]
"""American or British pronunciation."""

TIE = "^"
"""Stands between letters of one sound, as in ``t^ʃ``."""

_VOICE_FILES = {"en-us": "gmw/en-US", "en-gb": "gmw/en"}
_RETRIEVAL, _UTF8, _IPA, _TIED = 1, 1, 0x02, 0x80
_MISSING = (
    "eSpeak NG is not installed; run: pip install 'declaim[speech]' (or, on Debian and Ubuntu: "
    "apt-get install espeak-ng)"
)


def ipa(text: str, accent: Accent = "en-us") -> str:
    """How ``text`` is spoken, in the letters of the International Phonetic Alphabet, tied by `TIE`.

    Args:
        text: words without punctuation: eSpeak swallows it.
        accent: whose pronunciation.

    Raises:
        ConfigError: neither the library nor the program is on this machine, or its data are damaged.
    """
    library = _library()
    spoken = _from_program(text, accent) if library is None else _from_library(library, text, accent)
    return " ".join(spoken.split())


@cache
def phonemizer() -> str:
    """Which eSpeak NG is used, with its version: others pronounce some words differently.

    Raises:
        ConfigError: there is none.
    """
    if _library() is not None:
        return f"espeakng-loader {version('espeakng-loader')}"
    told = subprocess.run([_program(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(\.\d+)+", told)
    return f"espeak-ng {found.group() if found else 'of unknown version'}"


@cache
def _library() -> ctypes.CDLL | None:
    try:
        import espeakng_loader
    except ImportError:
        return None
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    if library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0) < 0:
        return None
    return library


def _from_library(library: ctypes.CDLL, text: str, accent: Accent) -> str:
    if library.espeak_SetVoiceByName(_VOICE_FILES[accent].encode()) != 0:
        raise ConfigError(
            f"eSpeak NG's data lacks {accent}; install it anew: pip install --force-reinstall espeakng-loader"
        )
    rest = ctypes.c_char_p(text.encode())
    mode, spoken = _IPA | _TIED | ord(TIE) << 8, []
    while rest.value:
        spoken.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, mode).decode())
    return " ".join(spoken)


def _from_program(text: str, accent: Accent) -> str:
    command = [_program(), "-q", "--ipa=3", f"--tie={TIE}", "-v", accent, "--", text]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _program() -> str:
    program = shutil.which("espeak-ng")
    if program is None:
        raise ConfigError(_MISSING)
    return program
