"""How the budget is counted and waited for: the machine room of `limits.py`."""
