"""What the tests share: brokers, and both clients behind the same names.

A test that is a coroutine runs in an event loop of its own. With the blocking client its calls block
that loop, which does no harm: `api.do` awaits what can be awaited.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import haigha.asyncio
import haigha.blocking

TOOL = os.environ.get(
    "HAIGHA_BROKER_TOOL", str(Path(__file__).resolve().parents[3] / "tools/broker")
)


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


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    with started("python-own") as node:
        yield node


@pytest.fixture
def both(uri: str) -> Both:
    return Both(uri)


@pytest.fixture(params=["asyncio", "blocking"])
def api(request: pytest.FixtureRequest, uri: str) -> Api:
    modules = {"asyncio": haigha.asyncio, "blocking": haigha.blocking}
    return Api(modules[request.param], uri)
