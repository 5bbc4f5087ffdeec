"""
Many calls in one request, and calls that wait for the budget taken along by batches.

`talkjs.batch` is a `Batch`; `overflow_to_batch=True` is what `_overflow` and `_dispatcher` do.
"""

from talkjs_async.batch._batch import Batch
from talkjs_async.batch._encoding import MOST_OPERATIONS

__all__ = ["MOST_OPERATIONS", "Batch"]
