"""
A view of Django, synchronous and as a coroutine: `python examples/django_view.py`.

The synchronous one uses one thread with an event loop for the whole process.

    pip install talkjs-async django
"""
# Django says nothing of its types.
# pyright: reportArgumentType=false

import asyncio
from threading import Thread
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from talkjs_async import AsyncTalkJS, NotFound
from talkjs_async.emulator import Emulator

emulator = Emulator()
talkjs = AsyncTalkJS(**emulator.options)  # AsyncTalkJS(max_wait=5.0) with a real account

loop = asyncio.new_event_loop()
Thread(target=loop.run_forever, daemon=True).start()


def wait_for(method: Any, /, *args: Any, **kwargs: Any) -> Any:
    return asyncio.run_coroutine_threadsafe(method(*args, **kwargs), loop).result()


def greet(request: HttpRequest) -> HttpResponse:
    try:
        user = wait_for(talkjs.users.get, request.GET["user"])
    except NotFound:
        return HttpResponse("Who are you?", status=404)
    return HttpResponse(f"Hello {user.name}")


async def greet_as_a_coroutine(request: HttpRequest) -> HttpResponse:
    user = await talkjs.users.get(request.GET["user"])
    return HttpResponse(f"Hello again {user.name}")


settings.configure()
wait_for(talkjs.users.upsert, "alice", name="Alice")
requests = RequestFactory()
for answer in (
    greet(requests.get("/", {"user": "alice"})),
    greet(requests.get("/", {"user": "carol"})),
    asyncio.run(greet_as_a_coroutine(requests.get("/", {"user": "alice"}))),
):
    print(answer.status_code, answer.content.decode())
