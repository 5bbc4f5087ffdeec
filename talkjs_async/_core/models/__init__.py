"""How a model reads what came over the wire: the machine room of `models/`."""
