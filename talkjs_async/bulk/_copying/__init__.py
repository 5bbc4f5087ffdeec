"""
Copies of apps: what is read of one, and how it is stored in another.

Called by the jobs `export`, `restore` and `transfer`.
"""
