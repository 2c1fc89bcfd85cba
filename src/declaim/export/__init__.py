"""Motion out of declaim: for other programs, and for itself."""

from declaim.export.arkit import write_arkit_json, write_live_link_csv
from declaim.export.motion import save_motion

__all__ = ["save_motion", "write_arkit_json", "write_live_link_csv"]
