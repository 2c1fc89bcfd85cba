import subprocess
import sys

import declaim


def test_public_names_exist() -> None:
    assert sorted(declaim.__all__) == declaim.__all__
    for name in declaim.__all__:
        assert getattr(declaim, name) is not None


def test_import_stays_light() -> None:
    code = "import declaim, sys; print([m for m in ('torch', 'numpy', 'mediapipe', 'cv2', 'av') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_help_stays_light() -> None:
    code = (
        "import sys; from declaim.apps.cli.main import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "assert not [m for m in ('torch', 'mediapipe', 'cv2', 'av', 'transformers') if m in sys.modules]"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


def test_every_cited_equation_has_a_test() -> None:
    subprocess.run([sys.executable, "docs/make_equations.py", "--check"], check=True)
