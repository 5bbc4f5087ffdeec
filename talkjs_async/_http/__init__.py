"""HTTP: one connection per slot, and the bodies of uploads."""
