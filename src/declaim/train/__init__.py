"""Training of motion methods: loop, moving averages, checkpoints, validation."""
