"""Numbers that programs give, checked where a comparison would fail without saying why."""

from datetime import datetime, timedelta
from numbers import Real

__all__ = ["check_number"]


def check_number(name: str, value: object) -> None:
    """Raise `ValueError` for what is no number, such as a `timedelta`, with the way out."""
    if isinstance(value, Real) and not isinstance(value, bool):
        return
    hint = ""
    if isinstance(value, timedelta):
        hint = ": take its total_seconds()"
    elif isinstance(value, datetime):
        hint = ": take its timestamp()"
    raise ValueError(f"{name} must be a number, not {value!r}{hint}.")
