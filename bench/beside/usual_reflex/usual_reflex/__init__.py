"""The usual pattern of a chat in Reflex."""
