"""The dialogs: what a person decides about a thread, a reply or an invite, each with its state."""
