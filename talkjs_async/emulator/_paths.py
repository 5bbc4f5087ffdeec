"""The emulator's own paths, beside those of the API."""

# The inspection page, and what it consists of.
INSPECTION = "/_emulator/"

# The control API. A later version gets a path of its own.
CONTROL = f"{INSPECTION}v1/"

# Where uploaded files can be got from. TalkJS has its own storage hosts for that.
FILES = f"{INSPECTION}files/"
