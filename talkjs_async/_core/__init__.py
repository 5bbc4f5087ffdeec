"""The machine room: how a call travels. Knows no noun of the API."""
