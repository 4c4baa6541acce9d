"""The parts of the pages. A page passes in its handlers as arguments, so that only the shared states are imported."""
