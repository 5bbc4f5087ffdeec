"""An attribute that is not there is answered with those that are."""

import copy
import inspect
import pickle
import traceback
from typing import Any

import pytest

from talkjs_async import emulator as package
from talkjs_async.emulator import Emulator, Fault, Limits, RealClock, Switches, VirtualClock
from talkjs_async.emulator._attributes import ListsAttributes
from talkjs_async.emulator._deliveries import Delivery

# A protocol; who has a clock has one of the others.
CLASSES = [
    each
    for name in package.__all__
    if inspect.isclass(each := getattr(package, name)) and name != "EmulatorClock"
]


def delivery(**changed: Any) -> Delivery:
    given: dict[str, Any] = {
        "number": 1,
        "event_id": "evt_1",
        "event_type": "message.sent",
        "target": "asgi:/hook",
        "attempt": 2,
        "at": 0.5,
        "status": 400,
        "error": "forged",
        "headers": {"x-talkjs-timestamp": "1"},
        "body": b"x" * 10_000,
        "event": b"x" * 10_000,
    }
    return Delivery(**given | changed)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_public_object_lists_its_attributes(kind: type) -> None:
    assert issubclass(kind, ListsAttributes)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("webhooks.add", "WebhookSender has no 'add': it has clear, delivered, deliveries, drain"),
        ("webhooks.deliver", "WebhookSender has no 'deliver': it has clear, delivered, "),
        ("faults.plan", "Faults has no 'plan': it has add, clear, pick, pick_in_batch, remove"),
        ("commits.kinds", "CommitLog has no 'kinds': it has append, clear, limit, of, on_record"),
        ("clock.now", "VirtualClock has no 'now': it has advance, jump, monotonic, reset, sleep"),
        ("switches.typo", "Switches has no 'typo': it has "),
        ("users", "Emulator has no 'users': it has add_app, advance, "),
        ("settle", "Emulator has no 'settle': it is webhooks.settle"),
        ("tamper", "Emulator has no 'tamper': it is webhooks.tamper"),
        ("find", "Emulator has no 'find': it is requests.find"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(path: str, said: str) -> None:
    *way, name = path.split(".")
    owner: Any = Emulator()
    for step in way:
        owner = getattr(owner, step)

    with pytest.raises(AttributeError) as raised:
        getattr(owner, name)

    assert str(raised.value).startswith(said)
    assert not hasattr(owner, name)
    assert getattr(owner, name, 7) == 7
    assert "Did you mean" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("name", ["_private", "__wrapped__"])
def test_names_with_an_underscore_stay_plain(name: str) -> None:
    with pytest.raises(AttributeError, match=f"^WebhookSender has no '{name}'$"):
        getattr(Emulator().webhooks, name)


def test_an_error_behind_a_property_is_the_one_to_see() -> None:
    class Broken(ListsAttributes):
        @property
        def part(self) -> Any:
            return self.nothing  # type: ignore[attr-defined]

    with pytest.raises(AttributeError, match=r"^Broken has no 'nothing': it has part$"):
        _ = Broken().part


@pytest.mark.parametrize(
    "value",
    [Limits(burst=3), Switches(empty_phone="list"), Fault.parse("return-503"), delivery()],
    ids=lambda value: type(value).__name__,
)
def test_records_are_copied_and_pickled(value: Any) -> None:
    copies = (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value)))

    assert [value] * 3 == list(copies)
    assert not hasattr(value, "__dict__")


@pytest.mark.parametrize("clock_type", [VirtualClock, RealClock])
def test_an_unfinished_object_says_no_as_well(clock_type: Any) -> None:
    unfinished = clock_type.__new__(clock_type)

    with pytest.raises(AttributeError, match=r"^\w+ has no '_ahead'$"):
        _ = unfinished._ahead


def test_a_delivery_is_shown_without_its_body() -> None:
    shown = repr(delivery(tampering="signature"))

    assert len(shown) < 250
    for part in ("message.sent", "status=400", "attempt=2", "asgi:/hook", "forged", "signature"):
        assert part in shown
