"""The budget inside Redis: the machine room of `redis.py`."""
