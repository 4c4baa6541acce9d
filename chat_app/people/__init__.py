"""People: who makes a request, and their names, tokens and limits."""
