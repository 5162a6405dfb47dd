#!/usr/bin/env python3
"""A thousand real websocket clients in room 1, half of each protocol, and one that never reads.

    crowd.py [CLIENTS]

Fifty messages are said by some of both protocols. Everybody has to hear each exactly once, all in
the same order; who said one through Piratchat has its acknowledgement in its place. The client that
reads nothing has to be dropped, and nobody may wait for it. Delays are taken twice: by all of them,
in this one process, which is busier with them than the server is; and by a bystander, in a process
of its own. Prints the figures, then `N passed, N failed`.
"""

import asyncio
import json
import resource
import socket
import subprocess
import sys
import time

from websockets.asyncio.client import connect
from websockets.sync.client import connect as connect_here

from harness import PATIENCE, account, http, main

CLIENTS = int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 1000
MESSAGES, SPEAKERS, BATCH = 50, 10, 50
# Between two messages: a thousand deliveries take this process some 50 ms.
PACE = 0.25
# ChitChat's messages are long, so that a client that does not read is soon 256 KiB behind.
PADDING = "💣" * 3900


class Client:
    """One websocket, and the times at which it received messages."""

    def __init__(self, name, is_piratchat):
        self.name = name
        self.is_piratchat = is_piratchat
        self.socket = None
        # The received messages by number, in order; None for an acknowledgement.
        self.heard = []
        self.delays = []
        # The announced leaves, each with the number of messages before it.
        self.left = {}
        self.odd = []
        self.task = None

    async def open(self, server, session=None):
        """Connects, and receives from then on."""
        path = "/ws" if self.is_piratchat else "/chats/1/ws"
        headers = {"Cookie": f"session={session}"} if session else {}
        self.socket = await connect(
            server.ws(path), additional_headers=headers, proxy=None, compression=None,
            open_timeout=60, ping_interval=None,
        )
        self.task = asyncio.create_task(self.listen())

    async def listen(self):
        """Runs until the websocket ends."""
        async for text in self.socket:
            now = time.monotonic()
            event = json.loads(text)
            what = event.get("event") or event.get("event_type")
            said = event.get("message") or (what == "send" and event["msg"])
            if said:
                number, sent, _ = said.split(" ", 2)
                self.heard.append(int(number))
                self.delays.append(now - float(sent))
            elif event == {"status": True}:
                self.heard.append(None)
            elif what == "leave":
                self.left[event.get("username") or event.get("name")] = len(self.heard)
            elif what != "join":
                self.odd.append(event)

    async def say(self, number):
        """Sends a numbered message."""
        text = f"{number} {time.monotonic()} "
        if self.is_piratchat:
            await self.socket.send(json.dumps({"message": text}))
        else:
            event = {"event_type": "send", "name": self.name, "msg": text + PADDING}
            await self.socket.send(json.dumps(event, ensure_ascii=False))


def never_reading(server):
    """A raw websocket with the smallest buffers, which joins and then does nothing."""
    host, port = server.address.split(":")
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    stuck.connect((host, int(port)))
    stuck.sendall(
        f"GET /chats/1/ws HTTP/1.1\r\nHost: {server.address}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    text = b'{"event_type":"join","name":"Stuck"}'
    mask = bytes(4)  # A mask of zeros masks nothing.
    stuck.sendall(bytes([0x81, 0x80 | len(text)]) + mask + text)
    return stuck


async def in_batches(calls, size=BATCH):
    """Awaits coroutines, a limited number at a time; returns their results in order."""
    results, calls = [], list(calls)
    for at in range(0, len(calls), size):
        results += await asyncio.gather(*calls[at : at + size])
    return results


async def gather_crowd(server):
    """Registers the clients of Piratchat, and connects all clients."""
    half = CLIENTS // 2
    pirates = [Client(f"Pirate{number}", True) for number in range(half)]
    guests = [Client(f"Guest {number}", False) for number in range(CLIENTS - half)]
    started = time.monotonic()

    async def register(web, one):
        return (await account(web, one.name))[1]

    async with http(server) as web:
        sessions = await in_batches(register(web, one) for one in pirates)
    registered = time.monotonic()
    await in_batches(one.open(server, key) for one, key in zip(pirates, sessions))
    await in_batches(one.open(server) for one in guests)
    now = time.monotonic()
    print(f"{half} accounts registered and logged in: {registered - started:.1f} s")
    print(f"{CLIENTS} websockets opened: {now - registered:.1f} s")
    return pirates, guests


def memory(pid):
    """A process's resident memory in MiB, now and at its peak."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        lines = dict(line.split(":", 1) for line in status)
    return [int(lines[field].split()[0]) / 1024 for field in ("VmRSS", "VmHWM")]


async def crowd(checks, server):
    """Runs the whole test."""
    stuck = never_reading(server)
    pirates, guests = await gather_crowd(server)
    everybody = pirates + guests
    for guest in guests[: SPEAKERS // 2]:
        await guest.socket.send(json.dumps({"event_type": "join", "name": guest.name}))
    # This process is busy until every client has received the joins.
    await asyncio.sleep(2)
    words = [sys.executable, __file__, "--stand-by", server.ws("/chats/1/ws")]
    bystander = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    await asyncio.to_thread(bystander.stdout.readline)
    speakers = [*pirates[: SPEAKERS // 2], *guests[: SPEAKERS // 2]]
    said = {one.name: [] for one in speakers}
    started = time.monotonic()
    for number in range(MESSAGES):
        speaker = speakers[number * 7 % SPEAKERS]
        said[speaker.name].append(number)
        await speaker.say(number)
        # Sometimes several at once, so that they race.
        if number % 5 != 4:
            await asyncio.sleep(PACE)
    deadline = time.monotonic() + PATIENCE
    while any(len(one.heard) < MESSAGES for one in everybody) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    print(f"{MESSAGES} messages to {CLIENTS} clients: {time.monotonic() - started:.1f} s")

    order = guests[-1].heard
    checks.equal(sorted(x for x in order if x is not None), list(range(MESSAGES)), "each is heard")
    wrong = 0
    for one in everybody:
        mine = said.get(one.name, [])
        wanted = [None if one.is_piratchat and x in mine else x for x in order]
        wrong += not checks.equal(one.heard, wanted, f"what {one.name} heard") or bool(one.odd)
        if wrong > 5:
            break
    for one in everybody:
        checks.that(not one.odd, f"{one.name} hears nothing else", one.odd)
    deadline = time.monotonic() + 20
    while "Stuck" not in guests[-1].left and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    gone = sum("Stuck" in one.left for one in everybody)
    checks.equal(gone, CLIENTS, "how many hear that the one who does not read has left")
    async with http(server) as web:
        async with web.get("/chats/1") as response:
            users = [user["username"] for user in (await response.json())["users"]]
    checks.that("Stuck" not in users, "it is dropped", users[:9])
    after = guests[-1].left.get("Stuck")
    print(f"who does not read was dropped after {after} of {MESSAGES} messages")
    stuck.close()
    apart = json.loads((await asyncio.to_thread(bystander.communicate))[0])
    report(everybody, apart, server)


def report(everybody, apart, server):
    """Prints the figures."""
    crowded = [delay for one in everybody for delay in one.delays]
    for who, delays in (("everybody's", sorted(crowded)), ("a bystander's", sorted(apart))):
        at = [delays[min(int(len(delays) * part), len(delays) - 1)] for part in (0.5, 0.99, 1)]
        p50, p99, most = (f"{delay * 1000:.1f} ms" for delay in at)
        print(f"{who} delay: p50 {p50}, p99 {p99}, most {most} ({len(delays)} deliveries)")
    now, most = memory(server.process.pid)
    print(f"the server's memory: {now:.1f} MiB, at its most {most:.1f} MiB")


def stand_by(url):
    """Receives all messages in an otherwise idle process; prints the delays."""
    delays = []
    with connect_here(url, proxy=None, compression=None, max_size=None) as socket:
        print("listening", flush=True)
        while len(delays) < MESSAGES:
            event = json.loads(socket.recv(timeout=60))
            if event["event_type"] == "send":
                delays.append(time.monotonic() - float(event["msg"].split(" ", 2)[1]))
    print(json.dumps(delays))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stand-by"]:
        stand_by(sys.argv[2])
        sys.exit()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * CLIENTS + 100), hard))
    main(crowd)
