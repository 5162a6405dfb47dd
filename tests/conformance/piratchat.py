"""Piratchat through a usual client library: `aiohttp`, with its cookie jar and its websockets.

Every row of the table in the contract that a client can see, the refusals as data.
"""

import asyncio
import json
import re
import signal
import time
from email.utils import parsedate_to_datetime

import aiohttp

from harness import PATIENCE, SILENCE, InvalidStatus, account, http, listen

# Bodies that are not an object with exactly that one string, whatever its name.
BODIES = ["", "null", "[]", '"text"', "{}", "{", '{"F":""}', '{"F":5}', '{"F":null}']
BODIES += ['{"F":["a"]}', '{"F":"a","more":1}', '{"f":"a"}', '["a"]', '{"F":"a"} x']
BODIES += ['{"F":"\\ud800"}', '{"F":"a","F":"b"}']
MALFORMED = [text.replace("F", "message") for text in BODIES] + ["hello", "💣"]
NAMES = ["", "two words", "a" * 33, "Zoë", "a-b", "a_b", "a\n", "\u0627", "<b>", "@me"]
LONGEST = ["x" * 300, "💣" * 300, "e\u0301" * 150, "שלום" * 75, "👩‍👩‍👧‍👧" * 42, "a\u202eb"]


async def receive(socket):
    """The next message of an aiohttp websocket, as JSON, or its close code."""
    message = await asyncio.wait_for(socket.receive(), PATIENCE)
    if message.type == aiohttp.WSMsgType.TEXT:
        return json.loads(message.data)
    return socket.close_code


async def silent(socket):
    """Whether nothing arrives for a while. (aiohttp does not close a websocket whose receive is
    cancelled, so the caller can read on.)"""
    try:
        return await asyncio.wait_for(socket.receive(), SILENCE)
    except asyncio.TimeoutError:
        return None


async def answer(call):
    """The status and the body of an answer."""
    async with call as response:
        text = await response.text()
        is_json = response.content_type == "application/json"
        return response.status, json.loads(text) if is_json else text


async def accounts(checks, server):
    """Registration and login."""
    async with http(server) as client:
        status, body = await answer(client.post("/api/register", json={"username": "JohnDoe"}))
        checks.equal(status, 201, "register")
        checks.that(re.fullmatch("[0-9a-f]{64}", body.get("key", "")), "a key", body)
        checks.equal(list(body), ["key"], "register says the key and nothing else")
        for name in ["JohnDoe", "johndoe", "JOHNDOE"]:
            status, body = await answer(client.post("/api/register", json={"username": name}))
            checks.equal((status, list(body)), (409, ["error"]), f"register {name} again")
        for name in NAMES:
            status, body = await answer(client.post("/api/register", json={"username": name}))
            wanted = 400 if name else 422
            checks.equal((status, list(body)), (wanted, ["error"]), f"register {name!r}")
        for path, field in (("register", "username"), ("login", "key")):
            for text in BODIES:
                text = text.replace("F", field)
                status, body = await answer(client.post(f"/api/{path}", data=text))
                checks.equal((status, list(body)), (422, ["error"]), f"{path} {text!r}")
            async with client.get(f"/api/{path}") as response:
                allowed = response.headers.get("Allow", "")
                checks.that(response.status == 405 and "POST" in allowed, f"GET {path}", allowed)
        status, _ = await answer(client.post("/api/register", json={"username": "a" * 32}))
        checks.equal(status, 201, "a name of 32 letters")
        status, _ = await answer(client.post("/api/login", json={"key": "0" * 64}))
        checks.equal(status, 401, "login with an unknown key")
        tries = [answer(client.post("/api/register", json={"username": "Race"})) for _ in range(8)]
        found = sorted(status for status, _ in await asyncio.gather(*tries))
        checks.equal(found, [201] + [409] * 7, "eight register one name at once")


async def cookies(checks, server):
    """The cookie, and how long a session lasts."""
    async with http(server) as client:
        key, session = await account(client, "Anne")
        checks.that(re.fullmatch("[A-Za-z0-9]{32}", session), "a session key", session)
        for proto, secure in ((None, False), ("http", False), ("https", True)):
            headers = {"X-Forwarded-Proto": proto} if proto else {}
            async with http(server) as other:
                async with other.post("/api/login", json={"key": key}, headers=headers) as response:
                    cookie = response.headers["Set-Cookie"]
            parts = [part.strip() for part in cookie.split(";")]
            flags = {part.split("=")[0] for part in parts[1:]}
            wanted = {"Path", "HttpOnly", "SameSite", "Expires"} | ({"Secure"} if secure else set())
            checks.equal(flags, wanted, f"the cookie over {proto}")
            checks.that("Path=/" in parts and "SameSite=Lax" in parts, "Path, SameSite", cookie)
            expires = next(part for part in parts if part.startswith("Expires="))[8:]
            left = parsedate_to_datetime(expires).timestamp() - time.time()
            # The session ends an hour after its last use; the cookie must not end before it.
            checks.that(left > 30 * 24 * 3600, "it stays with who goes on using it", left)
            checks.that(parts[0] != f"session={session}", "each login has a session of its own")
        checks.equal(
            await answer(client.get("/api/user/@me")), (200, {"username": "Anne"}), "who am I"
        )
        status, body = await answer(client.get("/api/user/aNNE"))
        checks.equal((status, body["username"], body["online"]), (200, "Anne", False), "a user")
        checks.equal((await answer(client.get("/api/user/nobody")))[0], 404, "an unknown user")
        await asyncio.to_thread(server.end)
        server.start()
    async with http(server, cookies={"session": session}) as client:
        checks.equal((await answer(client.get("/api/user/@me")))[0], 200, "after a restart")
        paths = ["/api/online", "/api/user/@me", "/api/user/Anne", "/ws"]
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        upgrade["Sec-WebSocket-Key"] = "dGhlIHNhbXBsZSBub25jZQ=="
        for path in paths:
            async with http(server) as bare:
                status, body = await answer(bare.get(path, headers=upgrade))
                checks.equal((status, list(body)), (422, ["error"]), f"{path} without a cookie")
            async with http(server, cookies={"session": "a" * 32}) as wrong:
                status, body = await answer(wrong.get(path, headers=upgrade))
                checks.equal((status, list(body)), (401, ["error"]), f"{path}, unknown session")
        checks.equal((await answer(client.get("/ws")))[0], 426, "/ws without an upgrade")
        checks.equal((await answer(client.get("/nowhere")))[0], 404, "a path that is not there")
        for method in (client.get, client.post):
            async with method("/api/logout") as response:
                cookie = response.headers.get("Set-Cookie", "")
                checks.that(response.status == 200 and "1970" in cookie, "logout", cookie)
    async with http(server, cookies={"session": session}) as client:
        checks.equal((await answer(client.get("/api/user/@me")))[0], 401, "after the logout")
    with open(server.database, "rb") as file:
        stored = file.read()
    try:
        with open(server.database + "-wal", "rb") as file:
            stored += file.read()
    except FileNotFoundError:
        pass
    for secret in (key, session, bytes.fromhex(key)):
        secret = secret.encode() if isinstance(secret, str) else secret
        checks.that(secret not in stored, "no key is in the database")


async def chat(checks, server):
    """The websocket, by aiohttp's own client, with compression offered and without."""
    async with http(server) as anne, http(server) as bonny, http(server) as carl:
        for name, client in (("Anne", anne), ("Bonny", bonny), ("Carl", carl)):
            await account(client, name)
        first = await anne.ws_connect("/ws", compress=15)
        checks.equal(first.compress, 0, "compression is declined")
        checks.equal(await silent(first), None, "who joins does not hear it")
        second = await bonny.ws_connect("/ws")
        joined = {"event": "join", "username": "Bonny"}
        checks.equal(await receive(first), joined, "the others hear it")
        try:
            await anne.ws_connect("/ws")
            checks.that(False, "a second /ws of one user is refused")
        except aiohttp.WSServerHandshakeError as error:
            checks.equal(error.status, 409, "a second /ws of one user")
        third = await carl.ws_connect("/ws")
        await receive(first), await receive(second)
        online = (await answer(anne.get("/api/online")))[1]
        wanted = {"online_clients": ["Anne", "Bonny", "Carl"]}
        checks.equal(online, wanted, "who is online, in the order of connecting")
        status, body = await answer(anne.get("/api/user/bonny"))
        checks.that(status == 200 and body["online"], "Bonny is online", body)

        for text in ["Hello, world!", "<b>&amp;'\"</b>", *LONGEST]:
            await first.send_json({"message": text})
            checks.equal(await receive(first), {"status": True}, f"{text[:9]!r} is acknowledged")
            wanted = {"message": text, "author": "Anne"}
            for other in (second, third):
                checks.equal(await receive(other), wanted, f"{text[:9]!r} is heard")
        refused = {"status": False, "code": "message_too_long"}
        for text in ("x" * 301, "💣" * 301, "x" * 60_000, "e\u0301" * 150 + "!"):
            await first.send_json({"message": text})
            checks.equal(await receive(first), refused, f"{len(text)} of {text[0]!r}")
        refused = {"status": False, "code": "invalid_message"}
        for text in MALFORMED:
            await first.send_str(text)
            checks.equal(await receive(first), refused, f"the message {text!r}")
        checks.equal(await silent(second), None, "nobody hears what was refused")
        for number in range(50):
            await first.send_json({"message": f"number {number}"})
        for number in range(50):
            checks.equal(await receive(first), {"status": True}, "acknowledged in order")
            wanted = {"message": f"number {number}", "author": "Anne"}
            checks.equal(await receive(second), wanted, "heard in order")
            await receive(third)

        await first.close()
        left = {"event": "leave", "username": "Anne"}
        checks.equal([await receive(second), await receive(third)], [left, left], "Anne leaves")
        first = await anne.ws_connect("/ws")
        for other in (second, third):
            checks.equal(await receive(other), {**joined, "username": "Anne"}, "Anne is back")
        await first.send_bytes(b'{"message":"hello"}')
        checks.equal(await receive(first), 1003, "a binary message")
        checks.equal(await receive(second), left, "who is thrown out leaves")
        checks.equal(await receive(third), left, "and everybody hears of it")
        first = await anne.ws_connect("/ws")
        back = {**joined, "username": "Anne"}
        checks.equal(await receive(second), back, "and may come back")
        checks.equal(await receive(third), back, "and may come back")
        async with bonny.get("/api/logout") as response:
            checks.equal(response.status, 200, "logout while connected")
        checks.equal(await receive(second), 1008, "a logout closes the websocket")
        left = {"event": "leave", "username": "Bonny"}
        checks.equal([await receive(first), await receive(third)], [left, left], "Bonny leaves")
        online = (await answer(carl.get("/api/online")))[1]
        checks.equal(online, {"online_clients": ["Carl", "Anne"]}, "who is left")
        ends = asyncio.gather(receive(first), receive(third))
        checks.equal(await asyncio.to_thread(server.end, signal.SIGTERM), 0, "SIGTERM")
        checks.equal(await ends, [1001, 1001], "the end is said with 1001")


async def frames(checks, server):
    """The websocket by another library: origins, sizes, fragments, declined extensions."""
    async with http(server) as client:
        _, session = await account(client, "Anne")
        _, other_session = await account(client, "Bonny")
    other = await listen(server, "/ws", session=other_session)
    for origin, wanted in (
        (server.url, 101),
        (server.url.upper().replace("HTTP", "http"), 101),
        ("http://foreign.example", 403),
        ("null", 403),
        (server.url + "1", 403),
    ):
        try:
            socket = await listen(server, "/ws", session=session, origin=origin)
            status = 101
            await socket.end()
        except InvalidStatus as refused:
            status = refused.response.status_code
        checks.equal(status, wanted, f"from a page of {origin}")
    socket = await listen(server, "/ws", session=session)
    offered = socket.socket.request.headers.get("Sec-WebSocket-Extensions", "")
    checks.that("permessage-deflate" in offered, "it offers to compress", offered)
    answered = socket.socket.response.headers
    checks.that("Sec-WebSocket-Extensions" not in answered, "which is declined", answered)
    found = [(await other.next() or {}).get("event") for _ in range(5)]
    checks.equal(found, ["join", "leave"] * 2 + ["join"], "who came and went meanwhile")
    text = json.dumps({"message": "in pieces: 💣 שלום"}, ensure_ascii=False)
    for pieces in ([text], list(text), [text[:9], "", text[9:]], ["", text]):
        await socket.socket.send(iter(pieces))
        checks.equal(await socket.next(), {"status": True}, f"{len(pieces)} fragments")
        found = await other.next() or {}
        checks.equal(found.get("message"), "in pieces: 💣 שלום", f"{len(pieces)} fragments")
    pong = await socket.socket.ping(b"still there?")
    await asyncio.wait_for(pong, PATIENCE)
    checks.that(True, "a ping is answered")
    empty = len(json.dumps({"message": ""}))
    await socket.say(message="x" * (65_536 - empty))
    refused = {"status": False, "code": "message_too_long"}
    checks.equal(await socket.next(), refused, "64 KiB are read")
    await socket.say(message="x" * (65_537 - empty))
    checks.equal(await socket.closed(), 1009, "more are not")
    checks.equal((await other.next() or {}).get("event"), "leave", "and who said so is gone")
    for pieces in (["x" * 40_000, "x" * 40_000], ["{"] + ["x" * 1000] * 70):
        socket = await listen(server, "/ws", session=session)
        try:
            await socket.socket.send(iter(pieces))
        except Exception:  # The server may close before everything is sent.
            pass
        checks.equal(await socket.closed(), 1009, "more than 64 KiB in fragments")
    await other.end()


PARTS = [accounts, cookies, chat, frames]
