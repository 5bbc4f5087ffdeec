"""
Many calls in one request, and batches of calls that wait for the ordinary budget.

`talkjs.batch` is a `Batch`; `overflow_to_batch=True` is what `_overflow` and `_dispatcher` do.
"""

from talkjs_async.batch._batch import Batch
from talkjs_async.batch._encoding import MOST_OPERATIONS

__all__ = ["MOST_OPERATIONS", "Batch"]
