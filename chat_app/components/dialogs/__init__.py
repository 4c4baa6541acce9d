"""The dialogs, each with its state, and what they are made of."""
