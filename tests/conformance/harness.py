"""Shared by the scripts of this folder: a server, and the count of checks.

The server is the one that SHANTY names, or the debug build; it listens on a port of its own choice
and keeps its database in a folder of its own, so that scripts can run side by side.
"""

import asyncio
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

import aiohttp
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("SHANTY") or str(ROOT / "target" / "debug" / "shanty")
SECRET = "a secret that the tests share with the server, long enough for every algorithm"
# The deadline of an answer, and the length of a silence after which nothing follows, in seconds.
PATIENCE, SILENCE = 10, 0.25

__all__ = ["Checks", "ConnectionClosed", "InvalidStatus", "Listener", "SECRET", "SILENCE"]
__all__ += ["PATIENCE", "Server", "account", "http", "listen", "main"]


class Checks:
    """Counts checks; prints those that fail."""

    def __init__(self):
        self.passed = self.failed = 0
        self.where = ""

    def that(self, ok, what, found=""):
        """One check. `found`: the value found instead."""
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {self.where}: {what}  {str(found)[:300]}", flush=True)
        return bool(ok)

    def equal(self, found, wanted, what):
        """Checks that two values are equal."""
        return self.that(found == wanted, what, f"found {found!r}, wanted {wanted!r}")


class Server:
    """A server with a temporary database. Ends with its `with` block; can be restarted in it."""

    def __init__(self, *flags):
        self.flags = flags
        self.folder = None
        self.process = None
        self.address = ""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="shanty-clients-")
        self.start()
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def database(self):
        """The path of the database."""
        return os.path.join(self.folder, "shanty.db")

    @property
    def log(self):
        """The path of the server's log."""
        return os.path.join(self.folder, "server.log")

    def said(self):
        """The server's log so far."""
        return pathlib.Path(self.log).read_text(encoding="utf-8", errors="replace")

    @property
    def url(self):
        """The server's origin."""
        return f"http://{self.address}"

    def ws(self, path):
        """A websocket's URL."""
        return f"ws://{self.address}{path}"

    def start(self):
        """Starts the server, and waits until it prints its address."""
        words = [BINARY, "--listen", "127.0.0.1:0", "--db", self.database, "--log", "warn"]
        # These suites send thousands of messages at once, as no person does.
        environment = {**os.environ, "SECRET_KEY": SECRET, "SHANTY_LIMITS": "off"}
        # Its log would look like failures, as the scripts provoke errors: see `main`.
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                words + list(self.flags),
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                text=True,
            )
        line = self.process.stdout.readline()
        found = re.search(r"http://([0-9.]+:\d+)", line)
        if not found:
            sys.exit(f"the server does not start: {line!r} {self.said()}")
        self.address = found[1]

    def end(self, how=signal.SIGTERM):
        """Ends the server; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.stdout.close()
        return self.process.wait(timeout=20)


class Listener:
    """A websocket that queues received messages."""

    def __init__(self, socket):
        self.socket = socket
        self.heard = asyncio.Queue()
        self.task = asyncio.create_task(self.listen())

    async def listen(self):
        """Runs until the websocket ends."""
        try:
            async for text in self.socket:
                await self.heard.put(text)
        except ConnectionClosed:
            pass
        await self.heard.put("null")  # Wakes a caller that waits for the next message.

    async def next(self):
        """The next message, as JSON; None if there is none."""
        try:
            return json.loads(await asyncio.wait_for(self.heard.get(), PATIENCE))
        except asyncio.TimeoutError:
            return None

    async def silent(self):
        """Whether nothing arrives for a while."""
        await asyncio.sleep(SILENCE)
        return self.heard.empty()

    async def say(self, **fields):
        """Sends an object."""
        await self.socket.send(json.dumps(fields))

    async def closed(self):
        """Waits for the end; returns the close code, None if there is no end in time."""
        try:
            await asyncio.wait_for(self.socket.wait_closed(), PATIENCE)
        except asyncio.TimeoutError:
            return None
        return self.socket.close_code

    async def end(self):
        """Closes it."""
        await self.socket.close()
        await self.task


async def listen(server, path, token=None, session=None, headers=None, **options):
    """Opens a websocket with `websockets`. Raises InvalidStatus if it is refused."""
    headers = dict(headers or {})
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if session is not None:
        headers["Cookie"] = f"session={session}"
    options.setdefault("open_timeout", PATIENCE)
    socket = await connect(server.ws(path), additional_headers=headers, proxy=None, **options)
    return Listener(socket)


def http(server, **options):
    """An aiohttp client with its own cookie jar, which accepts cookies of IP addresses."""
    jar = aiohttp.CookieJar(unsafe=True)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    return aiohttp.ClientSession(server.url, cookie_jar=jar, timeout=timeout, **options)


async def account(client, name):
    """Registers and logs in; returns the account's key and the session's key."""
    async with client.post("/api/register", json={"username": name}) as response:
        key = (await response.json())["key"]
    async with client.post("/api/login", json={"key": key}) as response:
        return key, response.cookies["session"].value


def main(*parts):
    """Runs async functions, each with the checks and its own server, and exits."""
    checks = Checks()
    for part in parts:
        checks.where = f"{part.__module__}.{part.__name__}"
        started, before, bad = time.monotonic(), checks.passed, checks.failed
        with Server() as server:
            try:
                asyncio.run(asyncio.wait_for(part(checks, server), 300))
            except Exception as error:  # One failing script must not hide the others' results.
                checks.that(False, "ran to its end", repr(error))
                traceback.print_exc()
            if checks.failed > bad:
                print(f"{checks.where}: the server said: {server.said()}", flush=True)
        took, held = time.monotonic() - started, checks.passed - before
        print(f"{checks.where}: {held} held, {took:.2f} s", flush=True)
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(checks.failed > 0)
