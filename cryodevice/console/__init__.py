"""How people reach a running daemon: today a local socket, owned by its user."""
