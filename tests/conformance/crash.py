#!/usr/bin/env python3
"""Kills the server (SIGKILL) in the middle of everything, twenty times, on one database.

    crash.py [ROUNDS [SEED]]

Each time several clients of both protocols register, log in and out, change rooms and chat, all at
once. After the restart everything that was acknowledged has to be there and nothing that was
refused; what was in flight may be there or not. Messages are looked up in the log with Python's
own sqlite3. Prints what was acknowledged, then `N passed, N failed`.
"""

import asyncio
import json
import random
import signal
import sqlite3
import sys

import aiohttp

from harness import ConnectionClosed, account, http, listen, main
from piratchat import answer

ROUNDS = int(sys.argv[1]) if sys.argv[1:] else 20
SEED = int(sys.argv[2]) if sys.argv[2:] else random.randrange(10**6)
REGISTRARS, CHANGERS, PIRATES, GUESTS = 3, 3, 3, 3
# Refused messages contain this text, so that the log can be searched for it.
REFUSED = "refused"
LOST = (aiohttp.ClientError, ConnectionClosed, OSError, asyncio.TimeoutError, EOFError)


class Book:
    """The acknowledged changes, and those in flight when the server died."""

    def __init__(self, checks):
        self.checks = checks
        self.number = 0
        self.is_killing = False
        self.keys = {}
        self.sessions = {}
        # By a room's number: its possible states; None: it may be deleted.
        self.rooms = {}
        self.password = None
        # The acknowledged texts, and the texts that each websocket received, in order.
        self.said = []
        self.heard = []
        self.refusals = 0

    def next(self):
        """A number never used before."""
        self.number += 1
        return self.number

    def refused(self, found, wanted, what):
        """Counts an expected refusal."""
        self.refusals += 1
        self.checks.equal(found, wanted, what)


async def registrar(server, book):
    """Registers and logs in accounts, and logs some of them out."""
    async with http(server) as web:
        while True:
            name = f"user{book.next()}"
            status, body = await answer(web.post("/api/register", json={"username": name}))
            book.checks.equal(status, 201, "register")
            book.keys[name] = body["key"]
            again = await answer(web.post("/api/register", json={"username": name.upper()}))
            book.refused(again[0], 409, "register again")
            for logs_out in (False, True):
                async with web.post("/api/login", json={"key": body["key"]}) as response:
                    session = response.cookies["session"].value
                book.sessions[session] = {200}
                if logs_out:
                    book.sessions[session] = {200, 401}
                    status, _ = await answer(web.get("/api/logout"))
                    book.checks.equal(status, 200, "logout")
                    book.sessions[session] = {401}


async def changer(server, book):
    """Creates and changes rooms, and deletes some of them."""
    async with http(server) as web:
        while True:
            facts = {"title": f"Room {book.next()}", "description": "new", "visibility": "public"}
            status, made = await answer(web.post("/chats", json=facts))
            book.checks.equal(status, 201, "make")
            room = made["id"]
            book.checks.that(room not in book.rooms, "a room's number is new", room)
            book.rooms[room] = [facts]
            for change in range(random.randrange(8)):
                changed = {**facts, "description": f"change {change}"}
                if change % 3 == 2:
                    changed["title"] = f"Room {book.next()}"
                book.rooms[room] = [facts, changed]
                status, _ = await answer(web.put(f"/chats/{room}", json=changed))
                book.checks.equal(status, 200, "change")
                facts = changed
                book.rooms[room] = [facts]
                wrong = {"title": "public chat", "description": REFUSED}
                status, _ = await answer(web.put(f"/chats/{room}", json=wrong))
                book.refused(status, 400, "a title that is taken")
            if room % 2:
                book.rooms[room] = [facts, None]
                status, _ = await answer(web.delete(f"/chats/{room}"))
                book.checks.equal(status, 200, "remove")
                book.rooms[room] = [None]


async def locksmith(server, book):
    """Changes the password of one private room, again and again."""
    async with http(server) as web:
        if book.password is None:
            room = {"title": "Cabin", "visibility": "private", "password": "password 0"}
            status, _ = await answer(web.post("/chats", json=room))
            book.checks.that(status in (201, 400), "a private room", status)
            book.password = ["password 0"]
        while True:
            for secret in book.password:
                asked = {"name": "smith", "secret": secret}
                status, body = await answer(web.post("/chats/cabin/token", json=asked))
                if status == 201:
                    break
            book.checks.equal(status, 201, "a token")
            fresh = f"password {book.next()}"
            book.password = [secret, fresh]
            headers = {"Authorization": f"Bearer {body['token']}"}
            change = {"password": fresh, "description": "open"}
            status, _ = await answer(web.put("/chats/cabin", json=change, headers=headers))
            book.checks.equal(status, 200, "a new password")
            book.password = [fresh]
            change["description"] = REFUSED
            status, _ = await answer(web.put("/chats/cabin", json=change, headers=headers))
            book.refused(status, 403, "the token for the password before")


async def pirate(server, book):
    """Chats through Piratchat; every third message is too long."""
    async with http(server) as web:
        name = f"pirate{book.next()}"
        key, session = await account(web, name)
        book.keys[name] = key
        book.sessions[session] = {200}
        heard = []
        book.heard.append((False, heard))
        async with web.ws_connect("/ws") as socket:
            while True:
                texts = [f"text {book.next()}" for _ in range(random.randrange(1, 9))]
                texts[2:3] = [REFUSED + "x" * 300]
                for text in texts:
                    await socket.send_json({"message": text})
                while texts:
                    event = await socket.receive_json()
                    if "message" in event:
                        heard.append(event["message"])
                    elif "status" in event:
                        text = texts.pop(0)
                        fits = not text.startswith(REFUSED)
                        book.checks.equal(event["status"], fits, "acks are in order")
                        book.said += [text] if fits else []
                        book.refusals += not fits


async def guest(server, book):
    """Chats through ChitChat, and receives everything; sends some messages under another's name."""
    socket = await listen(server, "/chats/1/ws")
    name = f"Guest {book.next()}"
    heard = []
    book.heard.append((True, heard))
    while True:
        text = f"text {book.next()}"
        await socket.say(event_type="send", name=name, msg=text)
        await socket.say(event_type="send", name="Somebody", msg=REFUSED)
        refused = False
        while text not in heard[-99:] or not refused:
            event = await socket.next()
            if event is None:
                return
            if event.get("event_type") == "send":
                heard.append(event["msg"])
            elif event.get("status") is False:
                book.refused(event["error"]["code"], 204, "another's name")
                refused = True


async def until_killed(book, work):
    """Runs one client until the server ends."""
    try:
        await work
    except (*LOST, TypeError, json.JSONDecodeError) as error:
        # aiohttp raises TypeError if a close arrives instead of a JSON message.
        if not book.is_killing:
            raise error


async def strike(server, book):
    """Runs all clients at once, and then kills the server."""
    book.is_killing = False
    crew = [(registrar, REGISTRARS), (changer, CHANGERS), (pirate, PIRATES), (guest, GUESTS)]
    work = [one(server, book) for one, count in crew for _ in range(count)]
    work.append(locksmith(server, book))
    tasks = [asyncio.create_task(until_killed(book, one)) for one in work]
    await asyncio.sleep(random.uniform(0.1, 1.2))
    early = [task.exception() for task in tasks if task.done()]
    book.checks.equal(early, [], "nobody ends before the server does")
    book.is_killing = True
    server.process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(server.process.wait)
    _, pending = await asyncio.wait(tasks, timeout=5)
    for task in pending:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    wrong = [error for error in ended if isinstance(error, Exception)]
    book.checks.equal(wrong, [], "what the clients say")


async def look(server, book, keys):
    """Requests everything that the server must have stored."""
    checks = book.checks
    async with http(server) as web:
        for name, key in keys:
            found = await answer(web.post("/api/login", json={"key": key}))
            checks.equal(found, (200, {"username": name}), f"{name} logs in")
        for room, may_be in book.rooms.items():
            status, found = await answer(web.get(f"/chats/{room}"))
            looks = {key: found.get(key) for key in ("title", "description", "visibility")}
            looks = looks if status == 200 else None
            checks.that(looks in may_be, f"room {room} is one of {may_be}", looks)
            book.rooms[room] = [looks]
        opens = []
        for secret in book.password or []:
            asked = {"name": "smith", "secret": secret}
            opens.append((await answer(web.post("/chats/cabin/token", json=asked)))[0])
        known = not book.password or opens.count(201) == 1
        checks.that(known or opens == [404], "one of the passwords opens", opens)
        if opens == [404]:  # Its creation was in flight.
            book.password = None
    for session, may_be in book.sessions.items():
        async with http(server, cookies={"session": session}) as web:
            status, _ = await answer(web.get("/api/user/@me"))
            checks.that(status in may_be, f"a session is one of {may_be}", status)


def read_log(server, book):
    """Compares the log with the acknowledged and the received messages."""
    checks = book.checks
    database = sqlite3.connect(f"file:{server.database}?mode=ro", uri=True)
    checks.equal(database.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "integrity")
    span = "SELECT count(*), min(seq), max(seq) FROM log"
    count, least, most = database.execute(span).fetchone()
    checks.equal((least, most), (1, count), "seq has no gap")
    query = "SELECT text, body FROM log WHERE kind <> 'said' OR room = 1"
    rows = database.execute(query).fetchall()
    database.close()
    wrong = [row for row in rows if any(part and REFUSED in part for part in row)]
    checks.equal(wrong, [], "what was refused is not in the log")
    texts = [text for text, _ in rows if text is not None]
    place = {text: at for at, text in enumerate(texts)}
    checks.equal(len(place), len(texts), "nothing is in it twice")
    missing = [text for text in book.said if text not in place]
    checks.equal(missing, [], "what was acknowledged is in it")
    for hears_all, heard in book.heard:
        missing = [text for text in heard if text not in place]
        checks.equal(missing, [], "what was heard is in it")
        at = [place[text] for text in heard if text in place]
        checks.equal(at, sorted(at), "in the order of hearing")
        if hears_all and at:
            checks.equal(at, list(range(at[0], at[-1] + 1)), "and nothing was left out")
    return count


async def crash(checks, server):
    """Runs all rounds."""
    random.seed(SEED)
    book = Book(checks)
    for _ in range(ROUNDS):
        before = len(book.keys)
        await strike(server, book)
        server.end()
        server.start()
        keys = list(book.keys.items())
        older = random.sample(keys[:before], min(before, 20))
        await look(server, book, keys[before:] + older)
        count = read_log(server, book)
        # A session that was in flight is known now, and not checked again.
        book.sessions = {key: may_be for key, may_be in book.sessions.items() if len(may_be) == 1}
        if len(book.sessions) > 300:
            book.sessions = dict(random.sample(list(book.sessions.items()), 300))
        book.heard, book.said = [], book.said[-2000:]
    await look(server, book, list(book.keys.items()))
    gone = sum(may_be == [None] for may_be in book.rooms.values())
    print(f"{ROUNDS} kills (seed {SEED}): {count} entries, {len(book.keys)} accounts, ", end="")
    print(f"{len(book.rooms)} rooms of which {gone} removed, {book.refusals} refusals")


if __name__ == "__main__":
    main(crash)
