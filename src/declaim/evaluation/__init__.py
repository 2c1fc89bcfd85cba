"""Measuring methods beside people: a frozen protocol, its figures, its report."""
