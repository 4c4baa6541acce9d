"""What a reply costs, measured from outside: the really started server, its sockets, its process and its page."""
