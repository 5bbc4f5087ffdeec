"""The machine room of bulk jobs. Knows no noun of the API."""
