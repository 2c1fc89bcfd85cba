"""``python -m declaim``, for ``accelerate launch -m declaim train ...``."""

from declaim.apps.cli.main import run

if __name__ == "__main__":
    run()
