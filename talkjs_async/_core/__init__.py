"""How a call travels. Knows no noun of the API."""
