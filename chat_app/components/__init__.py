"""The parts of the pages. Dialogs have a state of their own; other parts get the handlers of their page as arguments."""
