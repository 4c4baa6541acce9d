"""The built-in offline model: its endpoint is in `model`, and what it says is in `replies`."""
