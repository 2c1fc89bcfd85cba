"""Metrics as pure functions of arrays: lips, motion, pictures."""
