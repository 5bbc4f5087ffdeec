"""Who has not read what, remembered without being wrong."""

from hypothesis import given
from hypothesis import strategies as st

from talkjs_async.emulator._stored_records import (
    StoredConversation,
    StoredMessage,
    StoredParticipant,
)

USERS = ("alice", "bob")

STEPS = st.lists(
    st.one_of(
        # A message of a user, as new as the third says: imports are older than what is there.
        st.tuples(st.just("add"), st.sampled_from((*USERS, None)), st.integers(0, 20)),
        st.tuples(st.just("delete"), st.none(), st.integers(0, 20)),
        st.tuples(st.just("read"), st.sampled_from(USERS), st.integers(-1, 20)),
    ),
    max_size=25,
)


@given(STEPS)
def test_what_is_unread_is_what_looking_at_every_message_says(
    steps: list[tuple[str, str | None, int]],
) -> None:
    chat = StoredConversation(id="c", created_at=0, order=(0, "", 0), activity=(0, "", 0))
    places = {user: StoredParticipant(joined_at=0) for user in USERS}
    for number, (what, user, moment) in enumerate(steps):
        if what == "add":
            chat.add(message(number, user, moment))
        elif what == "delete" and chat.message_by_id:
            ids = sorted(chat.message_by_id)
            chat.messages.remove(chat.message_by_id.pop(ids[moment % len(ids)]))
        elif what == "read" and user is not None:
            places[user].read_until = None if moment < 0 else (moment, "", 0)

        for reader, place in places.items():
            unread = any(
                one.sender_id != reader
                and (place.read_until is None or one.order > place.read_until)
                for one in chat.message_by_id.values()
            )
            assert chat.is_unread_by(reader, place) is unread


def message(number: int, sender: str | None, moment: int) -> StoredMessage:
    return StoredMessage(
        id=f"m{number:03}",
        conversation_id="c",
        type="UserMessage",
        sender_id=sender,
        text="",
        created_at=moment,
        order=(moment, "", number + 1),
    )
