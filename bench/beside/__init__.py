"""Other chats, asked the same by the same model: what a reply costs there."""
