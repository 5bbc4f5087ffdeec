"""`python -m talkjs_async` is `talkjs-async`."""

from talkjs_async.cli import main

main()
