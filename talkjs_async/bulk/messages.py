"""Messages in bulk: 10 with one request, in order, each exactly once."""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, TypeAlias

import attrs

from talkjs_async._core.waiting import Lane
from talkjs_async._core.wire import UNSET
from talkjs_async.bulk.files import RecordFile
from talkjs_async.bulk.job import Job, Work
from talkjs_async.bulk.records import BadRecord, Fields, Record, Source, as_id, make_record, take_id
from talkjs_async.bulk.store import StoreRecords
from talkjs_async.bulk.users import total_of
from talkjs_async.client import AsyncTalkJS
from talkjs_async.errors import APIError, ConfigurationError, NotFound
from talkjs_async.models.messages import SystemMessage, UserMessage
from talkjs_async.resources.messages import KEY_LIFETIME, MOST_MESSAGES_PER_POST

Outgoing: TypeAlias = UserMessage | SystemMessage
MessageRecord: TypeAlias = Mapping[str, Any] | tuple[str, Outgoing] | BadRecord

READ_AHEAD: Final = 10_000
"""
Messages to read ahead, so that requests can be filled with ten of a conversation even where the
source goes through all conversations side by side.
"""
