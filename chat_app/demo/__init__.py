"""The built-in model, which needs no key and no network: its deltas are in `model`, what it says is in `replies`."""
