"""Data: tables, transactions, and who is told of a change."""
