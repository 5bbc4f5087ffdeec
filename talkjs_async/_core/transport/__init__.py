"""Single connections, each its own client, for every event loop."""
