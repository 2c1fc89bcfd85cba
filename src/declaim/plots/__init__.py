"""Pictures of motion: plots as SVG, poses of several takes, contact sheets."""
