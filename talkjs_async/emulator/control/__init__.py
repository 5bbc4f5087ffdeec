"""
The control API: everything that can be done to an emulator, for programs in any language.

HTTP and JSON under `/_emulator/v1/`. Described by its own OpenAPI document, which is made from the
table of operations: `GET /_emulator/v1/openapi.json`.
"""

from talkjs_async.emulator.control._control import OPERATIONS, Control
from talkjs_async.emulator.control._openapi import describe

__all__ = ["OPERATIONS", "Control", "describe"]
