"""The sync expert: does this mouth speak this sound? SyncNet's role."""
