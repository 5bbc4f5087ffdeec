"""Which requests are meant, as fault plans and searches of the log say it."""

import re


def request_pattern(on: str) -> re.Pattern[str]:
    """Compile `"POST /users/*"`, `"POST"` or `"/users/*"` to match `"POST /users/a"`."""
    method, _, path = on.strip().rpartition(" ")
    if not method and not path.startswith("/"):
        method, path = path, "/**"
    expression = re.escape(path).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
    return re.compile(f"{re.escape(method.strip().upper()) if method else '[A-Z]+'} {expression}/?")
