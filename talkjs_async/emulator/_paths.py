"""The emulator's own paths, beside those of the API."""

# The inspection page, and what it consists of.
INSPECTION = "/_emulator/"

# Where uploaded files can be got from. TalkJS has its own storage hosts for that.
FILES = f"{INSPECTION}files/"
