"""What the tests share: brokers, and both clients behind the same names.

A test that is a coroutine runs in an event loop of its own. With the blocking client its calls block
that loop, which does no harm: `api.do` awaits what can be awaited.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import haigha.asyncio
import haigha.blocking

ROOT = Path(__file__).resolve().parents[3]
TOOL = os.environ.get("HAIGHA_BROKER_TOOL", str(ROOT / "tools/broker"))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


class Api:
    """One of the two clients, and a broker."""

    def __init__(self, module: ModuleType, uri: str) -> None:
        self.module = module
        self.uri = uri
        self.is_async = module is haigha.asyncio

    async def do(self, result: Any) -> Any:  # noqa: ANN401
        """What a call of either client gives in the end."""
        return await result if inspect.isawaitable(result) else result

    async def settle(self, pending: Any) -> None:  # noqa: ANN401
        """Until a publish that was started has its outcome."""
        if inspect.isawaitable(pending):
            await pending
        else:
            pending.wait()

    async def connect(self, uri: str | None = None, **options: Any) -> Any:  # noqa: ANN401
        return await self.do(self.module.connect(uri or self.uri, **options))

    @contextlib.asynccontextmanager
    async def connection(self, uri: str | None = None, **options: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        connection = await self.connect(uri, **options)
        try:
            yield connection
        finally:
            await self.do(connection.close())

    @contextlib.asynccontextmanager
    async def channel(self, **options: Any) -> AsyncIterator[Any]:  # noqa: ANN401
        async with self.connection() as connection:
            yield await self.do(connection.channel(**options))

    async def queue(self, channel: Any, *bodies: bytes, **options: Any) -> str:  # noqa: ANN401
        """A queue of this test's with these messages."""
        declared = await self.do(channel.queue_declare(exclusive=True, **options))
        for pending in [channel.start_publish(body, declared.queue) for body in bodies]:
            await self.settle(pending)
        name: str = declared.queue
        return name


class Both:
    """Both clients at once, where what happens to them takes the broker long."""

    def __init__(self, uri: str) -> None:
        self._apis = [Api(haigha.asyncio, uri), Api(haigha.blocking, uri)]
        self._barrier = threading.Barrier(2)

    async def run(self, body: Callable[[Api], Coroutine[Any, Any, None]]) -> None:
        """A thread, with a loop, for each."""

        def of(api: Api) -> None:
            try:
                asyncio.run(body(api))
            except BaseException:
                self._barrier.abort()
                raise

        await asyncio.gather(*[asyncio.to_thread(of, api) for api in self._apis])

    async def together(self, action: Callable[[], object]) -> None:
        """Once both have come here, `action` runs, once; then both go on."""

        def meet() -> None:
            if self._barrier.wait(120) == 0:
                action()
            self._barrier.wait(120)

        await asyncio.to_thread(meet)


class Node:
    """A broker of the tests' own, to be maltreated."""

    def __init__(self, name: str, *options: str) -> None:
        self.name = name
        self.uri = self._run("start", name, "--owner", str(os.getpid()), *options)

    def _run(self, *arguments: str) -> str:
        return subprocess.run(
            [TOOL, *arguments], check=True, stdout=subprocess.PIPE, text=True, timeout=100
        ).stdout.strip()

    def ctl(self, *arguments: str) -> str:
        return self._run("ctl", self.name, *arguments)

    def kill(self) -> None:
        self._run("kill", self.name)

    def start(self) -> None:
        self._run("start", self.name)

    def stop(self) -> None:
        self._run("stop", self.name)


@contextlib.contextmanager
def started(name: str, *options: str) -> Iterator[Node]:
    node = Node(f"{name}-{os.getpid()}", *options)
    try:
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="session")
def uri() -> Iterator[str]:
    given = os.environ.get("HAIGHA_TEST_URI")
    if given:
        yield given
        return
    with started("python") as node:
        yield node.uri


class Tls:
    """An authority, and a certificate for localhost, in files that the node can read."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o755)
        self.authority = folder / "ca.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
        authority_key = folder / "ca.key"
        self._openssl(
            *new, "-subj", "/CN=of the test", "-keyout", authority_key, "-out", self.authority
        )
        signed = ("-CA", self.authority, "-CAkey", authority_key)
        self._openssl(
            *new, *signed, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-keyout", self.key, "-out", self.certificate,
        )  # fmt: skip
        self.key.chmod(0o644)

    def _openssl(self, *arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    @property
    def options(self) -> list[str]:
        lines = (
            f"listeners.ssl.1 = 127.0.0.1:{self.port}",
            f"ssl_options.cacertfile = {self.authority}",
            f"ssl_options.certfile = {self.certificate}",
            f"ssl_options.keyfile = {self.key}",
        )
        return [word for line in lines for word in ("--conf", line)]

    @property
    def uri(self) -> str:
        return f"amqps://guest:guest@localhost:{self.port}?address_family=4"


@pytest.fixture(scope="session")
def tls() -> Iterator[Tls]:
    with tempfile.TemporaryDirectory(prefix="haigha-python-") as folder:
        yield Tls(Path(folder))


@pytest.fixture(scope="session")
def node(tls: Tls) -> Iterator[Node]:
    """One for all that is done to brokers, which take long to start."""
    with started("python-own", *tls.options) as node:
        yield node


@pytest.fixture
def both(uri: str) -> Both:
    return Both(uri)


@pytest.fixture(params=["asyncio", "blocking"])
def api(request: pytest.FixtureRequest, uri: str) -> Api:
    modules = {"asyncio": haigha.asyncio, "blocking": haigha.blocking}
    return Api(modules[request.param], uri)
