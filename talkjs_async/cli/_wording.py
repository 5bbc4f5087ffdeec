"""Progress, amounts and durations in words for people."""

from __future__ import annotations

from talkjs_async.bulk import Progress


def sentence(progress: Progress) -> str:
    """Say how far a job is: "1,200 of 5,000, 3 failed, 410/s, 12 s left"."""
    words = [amount(progress.through)]
    if progress.total is not None:
        words[0] += f" of {amount(progress.total)}"
    if progress.failed:
        words.append(f"{amount(progress.failed)} failed")
    if progress.rate:
        words.append(f"{amount(progress.rate)}/s")
    if progress.eta:
        words.append(f"{duration(progress.eta)} left")
    elif progress.budget_wait:
        words.append("waiting for the budget")
    return ", ".join(words)


def amount(number: float) -> str:
    """Write a number for people: 12,345, or 0.8."""
    return f"{number:,.1f}" if 0 < number < 10 and number != int(number) else f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Write a duration for people: 8.2 s, 4 min 5 s, 3 h 10 min."""
    if seconds < 100:
        return f"{amount(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
