"""Live: what tabs and readers are sent, and when."""
