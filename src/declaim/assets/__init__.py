"""Pretrained parts: fetched once, trusted by SHA-256, kept in a cache folder; and the small ones that ship.

locate(name)   the place of a fetched asset (or AssetError: what to run); shipped(name) for what comes along
pull(name)     fetch it, resuming; verify(name) hashes it; remove(name) deletes it; state(name) tells
"""

from declaim.assets.cache import cache_folder, locate, remove, shipped, state, verify
from declaim.assets.fetch import pull
from declaim.assets.manifest import ASSETS, Asset, AssetFile, lookup

__all__ = [
    "ASSETS",
    "Asset",
    "AssetFile",
    "cache_folder",
    "locate",
    "lookup",
    "pull",
    "remove",
    "shipped",
    "state",
    "verify",
]
