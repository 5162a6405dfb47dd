"""ChitChat through usual client libraries: rooms by `aiohttp`, chatting by `websockets`.

Every row of the table in the contract that a client can see, the refusals as data.
"""

import asyncio
import json
from datetime import datetime, timedelta
from urllib.parse import quote

from harness import InvalidStatus, account, http, listen
from piratchat import answer
from tokens import knock

SECRET_WORDS = "correct horse"
PRIVATE = {"visibility": "private", "password": SECRET_WORDS}
PUBLIC = {"visibility": "public"}
# A body of POST /chats, and the code and field that refuse it.
BAD_ROOMS = [
    ("", 103, None),
    ("[]", 103, None),
    ("{", 103, None),
    ({"title": 5, **PUBLIC}, 103, "title"),
    (PUBLIC, 105, "title"),
    ({"title": "x", **PUBLIC}, 105, "title"),
    ({"title": "x" * 71, **PUBLIC}, 105, "title"),
    ({"title": "12345", **PUBLIC}, 105, "title"),
    ({"title": "public CHAT", **PUBLIC}, 102, "title"),
    ({"title": "Deck", "description": "x" * 71, **PUBLIC}, 105, "description"),
    ({"title": "Deck"}, 105, "visibility"),
    ({"title": "Deck", "visibility": "secret"}, 105, "visibility"),
    ({"title": "Deck", "visibility": "public", "password": SECRET_WORDS}, 105, "visibility"),
    ({"title": "Deck", "visibility": "private"}, 105, "password"),
    ({"title": "Deck", "visibility": "hidden", "password": "1234567"}, 105, "password"),
]
STATUS = {101: 404, 104: 401, 304: 401, 401: 401, 402: 401, 403: 403}
ROOM = {"title", "visibility", "createdAt", "updatedAt", "id", "users"}
# Refused events: the event, the code, the field.
BAD_EVENTS = [
    ("no JSON", 303, None),
    ("[]", 303, None),
    ({"event_type": "send", "msg": "x"}, 303, "name"),
    ({"event_type": "send", "name": "", "msg": "x"}, 303, "name"),
    ({"event_type": "send", "name": "a" * 33, "msg": "x"}, 303, "name"),
    ({"event_type": "send", "name": "a\nb", "msg": "x"}, 303, "name"),
    ({"event_type": "send", "name": 5, "msg": "x"}, 303, "name"),
    ({"event_type": "send", "name": "Élise"}, 303, "msg"),
    ({"event_type": "send", "name": "Élise", "msg": ""}, 303, "msg"),
    ({"event_type": "send", "name": "Élise", "msg": ["x"]}, 303, "msg"),
    ({"event_type": "send", "name": "Élise", "msg": "x" * 4001}, 303, "msg"),
    ({"event_type": "send", "name": "Élise", "msg": "💣" * 4001}, 303, "msg"),
    ({"event_type": "dance", "name": "Élise"}, 303, "event_type"),
    ({"name": "Élise", "msg": "x"}, 303, "event_type"),
    ({"event_type": "send", "name": "david", "msg": "x"}, 204, "name"),
    ({"event_type": "join", "name": "david"}, 204, "name"),
    ({"event_type": "leave", "name": "david"}, 204, "name"),
]
SAID = ["hello", "💣" * 4000, "x" * 4000, "שלום \u202e", "<script>alert(1)</script>", "{}\n{}"]


def error(body):
    """The code and the field of a failure; None if it is not one."""
    if set(body) != {"status", "error"} or body["status"] is not False:
        return body
    return body["error"].get("code"), body["error"].get("field")


def is_moment(text):
    """Whether a time is the current time as RFC 3339, in UTC, with parts of a second."""
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    now = datetime.now(moment.tzinfo)
    is_utc = moment.utcoffset() == timedelta(0)
    return is_utc and "." in text and abs((now - moment).total_seconds()) < 30


async def rooms(checks, server):
    """Creating, finding, changing and deleting rooms."""
    async with http(server) as client, http(server) as owner, http(server) as other:
        await account(owner, "Owner")
        await account(other, "Other")
        listed = (await answer(client.get("/chats")))[1]
        lobby = listed[0]
        described = (lobby["id"], lobby["title"], lobby["description"], lobby["visibility"])
        wanted = (1, "Public Chat", "This is the default chat, available to everyone!", "public")
        checks.equal(described, wanted, "the first room")
        for body, code, field in BAD_ROOMS:
            text = body if isinstance(body, str) else json.dumps(body)
            status, found = await answer(client.post("/chats", data=text))
            wanted = (STATUS.get(code, 400), (code, field))
            checks.equal((status, error(found)), wanted, f"POST /chats {text[:60]}")
        body = {"title": "My chat room", "description": "my own", "visibility": "public"}
        status, room = await answer(client.post("/chats", json=body))
        checks.equal(status, 201, "a public room")
        checks.equal(set(room), ROOM | {"description"}, "its fields")
        checks.equal((room["users"], room["id"]), ([], 2), "nobody is in it")
        checks.that(is_moment(room["createdAt"]) and is_moment(room["updatedAt"]), "times", room)
        for title in ("öffentlich / 100%?", "x" * 70, "💣💣", "Ünder Deck"):
            status, made = await answer(client.post("/chats", json={"title": title, **PUBLIC}))
            checks.equal((status, set(made)), (201, ROOM), f"a room {title!r}")
            for name in (title, title.swapcase() if "ß" not in title else title):
                status, found = await answer(client.get(f"/chats/{quote(name, safe='')}"))
                checks.equal((status, found.get("id")), (200, made["id"]), f"by title {name!r}")
            status, _ = await answer(client.delete(f"/chats/{made['id']}"))
            checks.equal(status, 200, "removed")
            status, found = await answer(client.get(f"/chats/{made['id']}"))
            checks.equal((status, error(found)), (404, (101, str(made["id"]))), "it is gone")
            last = made["id"]
        status, found = await answer(client.get("/chats/nowhere"))
        checks.equal((status, error(found)), (404, (101, "nowhere")), "no such room")
        status, made = await answer(client.post("/chats", json={"title": "Again", **PUBLIC}))
        checks.equal(made["id"], last + 1, "an id is never used twice")

        for visibility in ("private", "hidden"):
            body = {"title": visibility, "visibility": visibility, "password": SECRET_WORDS}
            status, made = await answer(client.post("/chats", json=body))
            checks.equal((status, set(made)), (201, ROOM), f"a {visibility} room, no password")
        shown = (await answer(client.get("/chats")))[1]
        titles = [room["title"] for room in shown]
        checks.equal(titles, ["Public Chat", "My chat room", "Again", "private"], "the list")
        text = json.dumps(shown)
        checks.that("argon2" not in text and SECRET_WORDS not in text, "no password in it", text)
        async with client.get("/chats", headers={"Accept": "text/html,*/*;q=0.8"}) as response:
            kind = response.headers["Content-Type"]
            checks.that(kind.startswith("text/html"), "a browser gets the page", kind)

        change = {"title": "Renamed"}
        status, found = await answer(client.put("/chats/my%20CHAT%20room", json=change))
        kept = (found["title"], found["description"], found["visibility"], found["id"])
        checks.equal((status, kept), (200, ("Renamed", "my own", "public", 2)), "renamed")
        checks.that(found["updatedAt"] > found["createdAt"], "and that is dated")
        for body, code, field in (
            ({"title": "AGAIN"}, 102, "title"),
            ({"title": "7"}, 105, "title"),
            ({"visibility": "private"}, 105, "password"),
            ({"password": SECRET_WORDS}, 105, "visibility"),
            ("{", 103, None),
        ):
            text = body if isinstance(body, str) else json.dumps(body)
            status, found = await answer(client.put("/chats/2", data=text))
            checks.equal((status, error(found)), (400, (code, field)), f"PUT {text}")
        for caller in (client, owner):
            for call in (caller.put("/chats/1", json={"title": "Mine"}), caller.delete("/chats/1")):
                status, found = await answer(call)
                checks.equal((status, error(found)[0]), (401, 104), "room 1 is the server's")
        owned = (await answer(owner.post("/chats", json={"title": "Owned", **PUBLIC})))[1]["id"]
        for caller in (client, other):
            for call in (caller.put(f"/chats/{owned}", json={}), caller.delete(f"/chats/{owned}")):
                status, found = await answer(call)
                checks.equal((status, error(found)[0]), (401, 104), "another's room")
        status, _ = await answer(owner.put(f"/chats/{owned}", json={"description": "mine"}))
        checks.equal(status, 200, "a room of its owner")
        checks.equal((await answer(owner.delete(f"/chats/{owned}")))[0], 200, "a room of its owner")
        status, _ = await answer(client.patch("/chats/2"))
        checks.equal(status, 405, "PATCH")
        body = json.dumps({"title": "Big", "description": "x" * 70_000, **PUBLIC})
        checks.equal((await answer(client.post("/chats", data=body)))[0], 413, "a huge body")


async def granting(checks, server):
    """Which clients get a token."""
    async with http(server) as client, http(server) as anne:
        await account(anne, "Anne")
        await answer(client.post("/chats", json={"title": "Cabin", **PRIVATE}))
        path = "/chats/cabin/token"
        found = await answer(client.post("/chats/1/token", json={"name": "x"}))
        checks.equal(found, (200, {"status": True}), "a public room needs none")
        found = await answer(client.get("/chats/1/token/renew"))
        checks.equal(found, (200, {"status": True}), "nor a new one")
        good = {"name": "david", "secret": SECRET_WORDS}
        status, body = await answer(client.post(path, json=good))
        checks.equal((status, set(body)), (201, {"status", "name", "room_id", "token"}), "a token")
        checks.equal((body["status"], body["name"], body["room_id"]), (True, "david", 2), "whose")
        bearer = {"Authorization": f"Bearer {body['token']}"}
        status, body = await answer(client.get(f"{path}/renew", headers=bearer))
        checks.equal((status, body["name"], body["room_id"]), (201, "david", 2), "a new one")
        for body, status, code, field in (
            ({**good, "secret": "wrong horse"}, 401, 304, "secret"),
            ({**good, "secret": ""}, 401, 304, "secret"),
            ({"name": "david"}, 401, 304, "secret"),
            ({"secret": SECRET_WORDS}, 400, 303, "name"),
            ({**good, "name": ""}, 400, 303, "name"),
            ({**good, "name": "x" * 33}, 400, 303, "name"),
            ({**good, "name": "anne"}, 400, 202, "name"),
            ("{", 400, 303, None),
            ("[]", 400, 303, None),
        ):
            text = body if isinstance(body, str) else json.dumps(body)
            found, failure = await answer(client.post(path, data=text))
            checks.equal((found, error(failure)), (status, (code, field)), f"token {text}")
        status, body = await answer(anne.post(path, json={**good, "name": "anne"}))
        checks.equal(status, 201, "the own registered name")
        token = (await answer(client.post(path, json=good)))[1]["token"]
        socket = await listen(server, "/chats/2/ws", subprotocols=["chat", token])
        checks.equal(socket.socket.subprotocol, token, "the token is echoed")
        await socket.say(event_type="join", name="david")
        await socket.next()
        status, failure = await answer(client.post(path, json={**good, "name": "David"}))
        checks.equal((status, error(failure)), (400, (202, "name")), "a name in use")
        await socket.say(event_type="send", name="Davina", msg="x")
        checks.equal(error(await socket.next()), (204, "name"), "a token binds to its name")
        new = {"password": "battery staple"}
        status, _ = await answer(client.put("/chats/2", json=new, headers=bearer))
        checks.equal((status, await socket.closed()), (200, 1008), "a new password throws out")
        found = await knock(server, "/chats/2/ws", token=token)
        checks.equal(found, (403, 403), "and ends the tokens")
        found = await knock(server, "/chats/nowhere/ws")
        checks.equal(found, (404, 101), "the websocket of no room")


async def chat(checks, server):
    """Events are broadcast; refusals go to their sender alone."""
    async with http(server) as client:
        await account(client, "Anne")
        room = (await answer(client.post("/chats", json={"title": "Deck", **PUBLIC})))[1]["id"]
    first = await listen(server, f"/chats/{room}/ws")
    second = await listen(server, "/chats/dECK/ws", compression=None)
    extensions = first.socket.response.headers.get("Sec-WebSocket-Extensions")
    checks.equal(extensions, None, "compression is declined")

    async def both(wanted, what):
        for socket in (first, second):
            found = await socket.next() or {}
            checks.that(is_moment(found.pop("time", "")), f"{what}: the time")
            checks.equal(found, {**wanted, "room_id": room}, what)

    event = {"event_type": "join", "name": "Élise", "color": "red", "msg": "ignored"}
    await first.say(**event, room_id=99, time="never")
    await both({**event, "msg": "Élise entered the room."}, "a join")
    for text in SAID:
        event = {"event_type": "send", "name": "Élise", "color": "#0af", "msg": text}
        await first.say(**event)
        await both(event, f"{text[:9]!r}")
    for text in ("in pieces", "💣"):
        event = json.dumps({"event_type": "send", "name": "Élise", "msg": text}, ensure_ascii=False)
        await first.socket.send(iter(event))
        await both({**json.loads(event), "color": "#0af"}, f"{text} in fragments")
    for body, code, field in BAD_EVENTS:
        text = body if isinstance(body, str) else json.dumps(body)
        await first.socket.send(text)
        checks.equal(error(await first.next() or {}), (code, field), f"event {text[:60]}")
    checks.that(await second.silent(), "nobody else hears of it")

    for name in ("ÉLISE", "anne"):
        await second.say(event_type="join", name=name)
        checks.equal(error(await second.next() or {}), (202, "name"), f"{name} is somebody's")
    await second.say(event_type="send", name="Capital", msg="without a join")
    found = await first.next() or {}
    if found.get("event_type") == "join":  # A join may precede the message.
        await second.next()
        found = await first.next() or {}
    checks.equal(found.get("msg"), "without a join", "a send without a join")
    await second.next()
    async with http(server) as client:
        users = (await answer(client.get(f"/chats/{room}")))[1]["users"]
    checks.equal([user["username"] for user in users], ["Élise", "Capital"], "who is there")
    checks.equal(users[0].get("color"), "#0af", "in which colour")
    checks.that(all(is_moment(user["last_activity"]) for user in users), "since when", users)

    await first.say(event_type="leave", name="Élise")
    left = {"event_type": "leave", "name": "Élise", "msg": "Élise has left the room."}
    found = [await first.next() or {}, await second.next() or {}]
    for one in found:
        color, _ = one.pop("color", None), one.pop("time", None)
        checks.equal(one, {**left, "room_id": room}, "a leave")
        checks.that(color in (None, "#0af"), "its colour", color)
    await first.say(event_type="join", name="Élise")
    await first.next(), await second.next()
    first.socket.transport.abort()
    found = await second.next() or {}
    checks.equal((found.get("event_type"), found.get("name")), ("leave", "Élise"), "a lost one")
    checks.that(await second.silent(), "leaves once")
    await second.say(event_type="send", name="Capital", msg="x" * 66_000)
    checks.equal(await second.closed(), 1009, "more than 64 KiB")


async def between(checks, server):
    """A message sent through one protocol is received through the other."""
    async with http(server) as client:
        _, session = await account(client, "Anne")
    chitchat = await listen(server, "/chats/1/ws")
    await chitchat.say(event_type="join", name="Élise", color="red")
    await chitchat.next()
    piratchat = await listen(server, "/ws", session=session)
    found = await chitchat.next()
    checks.that(is_moment(found.pop("time")), "the time")
    wanted = {"event_type": "join", "name": "Anne", "room_id": 1, "msg": "Anne entered the room."}
    checks.equal(found, wanted, "a join")
    await piratchat.say(message="ahoy 💣")
    checks.equal(await piratchat.next(), {"status": True}, "an ack")
    found = await chitchat.next()
    checks.that(is_moment(found.pop("time")), "the time")
    wanted = {"event_type": "send", "name": "Anne", "room_id": 1, "msg": "ahoy 💣"}
    checks.equal(found, wanted, "what Anne says")
    await chitchat.say(event_type="send", name="Élise", msg="x" * 4000)
    wanted = {"message": "x" * 4000, "author": "Élise"}
    checks.equal(await piratchat.next(), wanted, "what Élise says")
    checks.equal((await chitchat.next())["color"], "red", "her colour stays")
    for name in ("Anne", "aNNe"):
        other = await listen(server, "/chats/1/ws")
        await other.say(event_type="send", name=name, msg="I am Anne")
        checks.equal(error(await other.next() or {}), (202, "name"), "nobody else is Anne")
        await other.end()
    own = await listen(server, "/chats/1/ws", session=session)
    await own.say(event_type="send", name="Anne", msg="it is me")
    found = await piratchat.next()
    checks.equal(found, {"message": "it is me", "author": "Anne"}, "but Anne by her cookie")
    await chitchat.next()
    async with http(server, cookies={"session": session}) as client:
        online = (await answer(client.get("/api/online")))[1]["online_clients"]
        checks.equal(online, ["Élise", "Anne"], "who is online, once each")
    await own.end()
    await chitchat.end()
    checks.equal(await piratchat.next(), {"event": "leave", "username": "Élise"}, "a leave")
    await piratchat.end()


async def gone(checks, server):
    """Deleting a room; and persistence."""
    async with http(server) as client:
        room = (await answer(client.post("/chats", json={"title": "Deck", **PRIVATE})))[1]["id"]
        good = {"name": "david", "secret": SECRET_WORDS}
        token = (await answer(client.post(f"/chats/{room}/token", json=good)))[1]["token"]
        before = (await answer(client.get("/chats")))[1]
        await asyncio.to_thread(server.end)
        server.start()
    async with http(server) as client:
        checks.equal((await answer(client.get("/chats")))[1], before, "rooms last")
        socket = await listen(server, f"/chats/{room}/ws", subprotocols=[token])
        checks.that(True, "so do tokens")
        bearer = {"Authorization": f"Bearer {token}"}
        found = await answer(client.delete(f"/chats/{room}", headers=bearer))
        checks.equal(found, (200, {"status": True}), "a room is removed")
        checks.equal(await socket.closed(), 1000, "who was inside is told")
        try:
            await asyncio.wait_for(listen(server, f"/chats/{room}/ws", token=token), 5)
            checks.that(False, "nobody gets in any more")
        except InvalidStatus as refused:
            checks.equal(refused.response.status_code, 404, "nobody gets in any more")


PARTS = [rooms, granting, chat, between, gone]
