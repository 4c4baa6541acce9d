"""The pages, one module each, with that page's own substate."""
