"""The pages: one module per page, with the page's own substate."""
