"""The parts of the pages. Some have a state of their own; the others get their page's handlers as arguments."""
