"""The emulator that users see: its state and services, put together with the ways in."""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from talkjs_async.emulator._demo import fill_with_demo
from talkjs_async.emulator._seed_files import read_seed
from talkjs_async.emulator._seeding import plant
from talkjs_async.emulator._world import Latency, World
from talkjs_async.emulator.asgi import AsgiApp
from talkjs_async.emulator.clock import EmulatorClock, VirtualClock
from talkjs_async.emulator.limits import Limits
from talkjs_async.emulator.routes import ROUTER
from talkjs_async.emulator.server import Server
from talkjs_async.emulator.simulated_users import SimulatedUser
from talkjs_async.emulator.switches import Switches

if TYPE_CHECKING:
    from talkjs_async.emulator._persistence import Persistence
    from talkjs_async.emulator.transport import EmulatorTransport


class ClientOptions(TypedDict):
    """What a client needs to talk to an emulator in this process, in the emulator's time."""

    app_id: str
    secret_key: str
    transport: "EmulatorTransport"
    clock: EmulatorClock


class Emulator(World):
    """
    A TalkJS of your own: an app without any users, which can be filled through its REST API.

    `AsyncTalkJS(**emulator.options)` talks to it. `transport` goes into an httpx client (in
    process), `asgi` into an ASGI server, and `serve()` listens on a port. All of them may be used
    at once. A new instance starts empty and shares nothing with others.

    Attributes:
        app_id, secret_key: The credentials to use.
        clock: Its time. Give it to the program under test as well.
        limits: The rate limits; may be exchanged at any time.
        switches: Switches for undocumented behaviour; may be changed at any time.
        faults: Plans for what goes wrong.
        requests: The log of requests: what was asked.
        commits: The commit log: what was done.
        webhooks: Where webhooks go.
        apps: The data of this app, and of others made as anonymous test projects.
        restored: Whether there was data in the file given as *persist*.
    """

    def __init__(
        self,
        *,
        app_id: str = "emulator",
        secret_key: str = "sk_test_emulator",  # noqa: S107  # opens nothing
        clock: EmulatorClock | None = None,
        limits: Limits | None = None,
        switches: Switches | None = None,
        seed: int | str = 0,
        latency: Latency | None = None,
        log_limit: int | None = None,
        inbox_limit: int = 0,
        body_limit: int = 0,
        persist: Path | str | None = None,
    ) -> None:
        """
        Make an empty app.

        Args:
            app_id: Its ID.
            secret_key: Its secret key.
            clock: Where time comes from. None: a new `VirtualClock`.
            limits: None: the documented ones.
            switches: None: the defaults, or what `TALKJS_EMULATOR_SWITCHES` in the environment
                says, such as `delete_unknown=ok,reasons=fields`.
            seed: What all IDs and all chances come from.
            latency: Gives seconds to the server and back, per request. None: no time passes.
                In process only.
            log_limit: How many requests and changes to remember. None: all of them.
            inbox_limit: How many events to remember in `webhooks.inbox`, where they are to be seen
                without a receiver.
            body_limit: How many characters of a request's and an answer's body to keep in
                `requests`.
            persist: A file that has the data: read now, and written with every change. Logs,
                budget, faults and settings are not in it. None: nothing outlives this emulator.

        Raises:
            ValueError: The file is damaged, another program's, or in use.
        """
        super().__init__(
            app_id=app_id,
            secret_key=secret_key,
            router=ROUTER,
            clock=VirtualClock() if clock is None else clock,
            limits=Limits() if limits is None else limits,
            switches=Switches.from_environment() if switches is None else switches,
            seed=seed,
            latency=latency,
            log_limit=log_limit,
            inbox_limit=inbox_limit,
            body_limit=body_limit,
        )
        self.restored: bool = False
        self._persistence: Persistence | None = None
        if persist is not None:
            # Not at the top: few need it.
            from talkjs_async.emulator import _persistence  # noqa: PLC0415

            self._persistence = _persistence.Persistence(Path(persist))
            self.restored = self._persistence.attach(self)

    def close(self) -> None:
        """Close the file given as *persist*, so that it can be opened again in this process."""
        if self._persistence is not None:
            self._persistence.close()
            self._persistence = None

    def __repr__(self) -> str:
        return f"<Emulator of app {self.app_id!r}, {self.requests.total} requests>"

    @property
    def options(self) -> ClientOptions:
        """The four options of a client that talks to it: `AsyncTalkJS(**emulator.options)`."""
        return ClientOptions(
            app_id=self.app_id,
            secret_key=self.secret_key,
            transport=self.transport,
            clock=self.clock,
        )

    @cached_property
    def transport(self) -> "EmulatorTransport":
        """A transport for `httpx.AsyncClient` or `httpx2.AsyncClient`, in process."""
        # Not at the top: httpx would be half of the start-up time of the TCP emulator.
        from talkjs_async.emulator.transport import EmulatorTransport  # noqa: PLC0415

        return EmulatorTransport(self)

    @cached_property
    def asgi(self) -> AsgiApp:
        """The ASGI application."""
        return AsgiApp(self)

    def serve(
        self, *, host: str = "127.0.0.1", port: int = 0, allowed_hosts: Collection[str] = ()
    ) -> Server:
        """
        Listen on a port, from a thread of its own, for as long as a `with` block runs.

        Needs uvicorn.

        Args:
            host: The address to listen on.
            port: 0 picks a free one; see `Server.base_url`.
            allowed_hosts: By which names it may be asked, besides *host* and those of this machine.
        """
        hosts = {name.lower() for name in (host, *allowed_hosts)}
        app = AsgiApp(self, hosts=hosts)
        return Server(app, self.webhooks, host=host, port=port)

    def load(self, seed: Mapping[str, Any] | Path | str) -> None:
        """
        Add users, conversations and messages, with times of their own.

        Args:
            seed: `{"users": ..., "conversations": ...}`; a file with that as JSON, TOML or YAML;
                the directory of an export; or `"demo"`.

        Raises:
            ValueError: It cannot be read, or something in it is wrong.
        """
        if seed == "demo":
            fill_with_demo(self)
        else:
            plant(self, read_seed(Path(seed)) if isinstance(seed, str | Path) else seed)

    def simulate_user(self, user_id: str) -> SimulatedUser:
        """Simulate a user in front of the app's chat, who is online, reads, types, writes."""
        return SimulatedUser(self, user_id)
