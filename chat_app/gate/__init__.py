"""The gate: what a client may send, in which form and how much of it."""
