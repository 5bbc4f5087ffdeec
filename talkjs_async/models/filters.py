"""
Filters: which conversations a list is to hold.

Source: filters of the list of all conversations are used in production by a public program (seen in
code); the grammar is documented for TalkJS's SDKs and inferred for REST.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, cast

import attrs

from talkjs_async._core.wire import is_id, is_text
from talkjs_async.errors import ConfigurationError
from talkjs_async.models import _arguments as must_be
from talkjs_async.models._frozen_map import FrozenMap

__all__ = ["Condition", "Filter", "Operator"]

Operator: TypeAlias = Literal["==", "!=", "oneOf", "!oneOf"]


@attrs.frozen
class Condition:
    """
    What one key of the custom data must be; made by the functions of `Filter`.

    Conditions are negated with `~`: `~Filter.exists()`, `~Filter.one_of(["x", "y"])`.
    """

    operator: Literal["exists", "!exists"] | Operator
    operand: str | tuple[str, ...] | None = None

    def __invert__(self) -> Condition:
        return Condition(_OPPOSITES[self.operator], self.operand)

    def to_wire(self) -> Any:
        """Write TalkJS's JSON form."""
        if self.operand is None:
            return self.operator
        operand = self.operand if isinstance(self.operand, str) else list(self.operand)
        return [self.operator, operand]


_OPPOSITES: Mapping[str, Any] = {
    "exists": "!exists",
    "!exists": "exists",
    "==": "!=",
    "!=": "==",
    "oneOf": "!oneOf",
    "!oneOf": "oneOf",
}


def _are_conditions(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        is_id(key) and isinstance(item, Condition) for key, item in value.items()
    )


def _conditions(value: Mapping[str, Condition | str]) -> Mapping[str, Condition]:
    anything: Any = value
    if not isinstance(anything, Mapping):
        return cast("Mapping[str, Condition]", anything)  # for the rule to refuse
    plain = {
        key: Filter.equals(item) if isinstance(item, str) else item for key, item in value.items()
    }
    return FrozenMap(plain)


@attrs.frozen(kw_only=True, weakref_slot=False)
class Filter:
    """
    Which conversations to list: those that meet all conditions.

    Attributes:
        custom: Key of the custom data to its condition. A plain text stands for `Filter.equals`.

    Raises:
        ConfigurationError: A value breaks its rule.

    Example:
        `Filter(custom={"state": Filter.one_of(["open", "held"]), "closedBy": ~Filter.exists()})`
    """

    custom: Mapping[str, Condition] = attrs.field(
        converter=_conditions,
        validator=must_be.Rule(
            "must map texts to conditions, for example {'state': 'open'}.",
            _are_conditions,
            null=False,
        ),
    )

    @staticmethod
    def exists() -> Condition:
        """Ask that the key is there."""
        return Condition("exists")

    @staticmethod
    def equals(value: str) -> Condition:
        """Ask that the key is there and has this value."""
        if not is_text(value):
            raise ConfigurationError("value", "must be text (str) of valid Unicode.")
        return Condition("==", value)

    @staticmethod
    def one_of(values: Iterable[str]) -> Condition:
        """
        Ask that the key is there and has one of these values.

        Its opposite, `~Filter.one_of(values)`, also holds where the key is missing (a public
        program in production depends on that).
        """
        collected = must_be.as_tuple(values)
        if not must_be.are_texts(collected):
            raise ConfigurationError("values", must_be.TEXTS_RULE)
        return Condition("oneOf", collected)

    def to_wire(self) -> str:
        """Write the value of the query parameter: compact JSON, not yet percent-encoded."""
        conditions = {key: condition.to_wire() for key, condition in self.custom.items()}
        return json.dumps({"custom": conditions}, ensure_ascii=False, separators=(",", ":"))
