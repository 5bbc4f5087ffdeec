"""How a call travels. Knows no particular endpoint."""
