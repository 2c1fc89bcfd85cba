"""How good a generated motion or picture is, with definitions fixed in docs/metrics.md."""
