"""Threads: what people write and the AI answers, and who may do what with it."""
