"""The sync expert: does this mouth speak this sound? SyncNet's role."""

from declaim.sync.config import SyncConfig
from declaim.sync.expert import SyncExpert
from declaim.sync.offsets import distance_curve, lse_c, lse_d, offset

__all__ = ["SyncConfig", "SyncExpert", "distance_curve", "lse_c", "lse_d", "offset"]
