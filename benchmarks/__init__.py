"""Measurements of declaim's figures: ``python -m benchmarks`` runs them all, ``python -m benchmarks.renderer`` one."""
