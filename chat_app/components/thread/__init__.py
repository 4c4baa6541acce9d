"""The parts of a thread's page: transcript, actions, composer, people, undo."""
