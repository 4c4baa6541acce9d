"""The parts a page is composed of; handlers come in as arguments, so that only the shared states are imported."""
