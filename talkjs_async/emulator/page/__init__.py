"""
The inspection page: what the emulator knows, live, in a browser.

One document, rendered here; the script in `page.js` only fetches it again when something happened.
Not loaded until it is opened.
"""

from talkjs_async.emulator.page._inspector import Inspector

__all__ = ["Inspector"]
