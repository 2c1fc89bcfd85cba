import subprocess
import sys


def test_settings_in_the_docs_are_those_of_the_recipes():
    subprocess.run([sys.executable, "docs/make_training.py", "--check"], check=True)
