"""The parts of the pages. A dialog has a state of its own; other parts get the handlers of their page as arguments."""
