"""Replies: a reply from the question to its end, and the models that write it."""
