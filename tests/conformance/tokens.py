"""Room tokens by PyJWT: it verifies the server's with the shared secret, and forges its own.

Every forgery has to be refused with the code of the contract at all four doors: changing the room,
renewing, and the websocket with the token as Authorization and as subprotocol.
"""

import asyncio
import base64
import json
import time

import jwt

from harness import SECRET, InvalidStatus, http, listen

PASSWORD = "correct horse"


def forgeries(good, room, old, other):
    """For each forged token: its description, the token, and the code of its refusal."""
    claims = jwt.decode(good, SECRET, algorithms=["HS256"])
    now = int(time.time())

    def sign(changes=None, without=(), key=SECRET, algorithm="HS256", headers=None):
        said = {**claims, **(changes or {})}
        said = {name: value for name, value in said.items() if name not in without}
        return jwt.encode(said, key, algorithm=algorithm, headers=headers)

    def raw(header, body, signature):
        def part(thing):
            text = thing if isinstance(thing, str) else json.dumps(thing)
            return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

        return f"{part(header)}.{part(body)}.{signature}"

    head, body, signature = good.split(".")
    yield "no algorithm", sign(key=None, algorithm="none"), 402
    for name in ("None", "NONE", "nOnE", "hs256", "RS256", "ES256", "EdDSA", ""):
        yield f"alg {name!r}", raw({"alg": name, "typ": "JWT"}, claims, signature), 402
    yield "HS512, right key", sign(key=SECRET, algorithm="HS512"), 402
    yield "HS384, right key", sign(key=SECRET, algorithm="HS384"), 402
    yield "another key", sign(key=SECRET + "!"), 403
    yield "an empty key", sign(key="\0" * 64), 403  # HMAC fills keys up with zeros.
    yield "expired, another key", sign({"exp": now - 9}, key="x" * 40), 403
    yield "no signature", f"{head}.{body}.", 403
    yield "another's body", f"{head}.{sign({'username': 'root'}).split('.')[1]}.{signature}", 403
    yield "a bit of the signature", f"{head}.{body}.{flipped(signature)}", 403
    yield "expired", sign({"exp": now - 1}), 403
    yield "expired long ago", sign({"exp": 0}), 403
    yield "exp as text", sign_text_exp(claims, now), 403
    yield "exp below zero", sign({"exp": -1}), 403
    yield "another room", other, 403
    yield "another room, ours", sign({"room_id": room + 1}), 403
    yield "room as text", sign({"room_id": str(room)}), 403
    yield "the password before", old, 403
    yield "a password to come", sign({"gen": claims["gen"] + 1}), 403
    yield "gen as text", sign({"gen": str(claims["gen"])}), 403
    for name in ("username", "room_id", "exp", "gen"):
        yield f"without {name}", sign(without=[name]), 403
    for name in ("", "a" * 33, "line\nbreak"):
        yield f"the name {name!r}", sign({"username": name}), 403
    yield "name as number", sign({"username": 5}), 403
    yield "something critical", sign(headers={"crit": ["b64"], "b64": True}), 403
    yield "a list", raw(["HS256"], claims, signature), 403
    yield "no JSON", raw("HS256", "claims", signature), 403
    yield "no token", "abc", 403
    yield "two parts", f"{head}.{body}", 403


def flipped(signature):
    """The token with another first letter in its signature."""
    return ("A" if signature[0] != "A" else "B") + signature[1:]


def sign_text_exp(claims, now):
    """PyJWT itself signs any expiry, but for dates it converts."""
    return jwt.encode({**claims, "exp": str(now + 600)}, SECRET, algorithm="HS256")


async def status_of(client, method, path, token):
    """HTTP status and the code in the body."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body = {"json": {"description": "changed"}} if method == "PUT" else {}
    async with client.request(method, path, headers=headers, **body) as response:
        answer = await response.json()
        return response.status, (answer.get("error") or {}).get("code")


async def knock(server, path, **options):
    """HTTP status and the code in the body of a websocket handshake."""
    try:
        socket = await listen(server, path, **options)
        await socket.end()
        return 101, None
    except InvalidStatus as refused:
        answer = json.loads(refused.response.body)
        return refused.response.status_code, (answer.get("error") or {}).get("code")


async def ask(client, room, name, secret):
    """A token from the server."""
    body = {"name": name, "secret": secret}
    async with client.post(f"/chats/{room}/token", json=body) as response:
        return (await response.json())["token"]


async def forged(checks, server):
    """Valid tokens are accepted by every request, forged ones by none."""
    async with http(server) as client:
        rooms = []
        for title in ("Cabin", "Other cabin"):
            body = {"title": title, "visibility": "private", "password": PASSWORD}
            async with client.post("/chats", json=body) as response:
                rooms.append((await response.json())["id"])
        room, path = rooms[0], f"/chats/{rooms[0]}"
        old = await ask(client, room, "david", PASSWORD)
        other = await ask(client, rooms[1], "david", PASSWORD)
        headers = {"Authorization": f"Bearer {old}"}
        new = {"password": "battery staple"}
        async with client.put(path, json=new, headers=headers) as response:
            checks.equal(response.status, 200, "a new password")
        good = await ask(client, room, "david", "battery staple")

        claims = jwt.decode(good, SECRET, algorithms=["HS256"])
        checks.equal(set(claims), {"username", "room_id", "exp", "gen"}, "the claims")
        checks.equal((claims["username"], claims["room_id"]), ("david", room), "what they say")
        checks.that(3590 < claims["exp"] - time.time() <= 3600, "60 minutes", claims)
        before = jwt.decode(old, SECRET, algorithms=["HS256"])
        checks.equal(claims["gen"], before["gen"] + 1, "gen counts the passwords")
        header = jwt.get_unverified_header(good)
        checks.equal((header["alg"], header.get("typ")), ("HS256", "JWT"), "the header")
        ours = jwt.encode({**claims, "username": "Élise"}, SECRET, algorithm="HS256")
        for what, token in (("the server's", good), ("PyJWT's", ours)):
            await doors(checks, server, client, path, what, token, None)
        for what, token, code in forgeries(good, room, old, other):
            await doors(checks, server, client, path, what, token, code)
        await doors(checks, server, client, path, "none at all", None, 403)
        async with client.get(path) as response:
            described = (await response.json()).get("description", "")
        checks.equal(described, "changed", "only good tokens changed it")
        checks.equal(await knock(server, "/chats/1/ws", token="abc"), (101, None), "a public room")


async def doors(checks, server, client, path, what, token, code):
    """Sends one token with every request. `code`: of the refusal; None for a valid token."""
    refused = (403 if code == 403 else 401, code)
    put, renew, ws = (refused,) * 3 if code else ((200, None), (201, None), (101, None))
    checks.equal(await status_of(client, "PUT", path, token), put, f"PUT with {what}")
    renewed = await status_of(client, "GET", f"{path}/token/renew", token)
    checks.equal(renewed, renew, f"renew with {what}")
    if code:
        found = await status_of(client, "DELETE", path, token)
        checks.equal(found, refused, f"DELETE with {what}")
    checks.equal(await knock(server, f"{path}/ws", token=token), ws, f"Authorization: {what}")
    if token is not None:
        found = await knock(server, f"{path}/ws", subprotocols=[token])
        # A text that does not look like a token is a subprotocol: then there is no token, 403, too.
        checks.equal(found, ws, f"subprotocol: {what}")


async def expiry(checks, server):
    """An expired token is refused; a connection that it has opened stays."""
    async with http(server) as client:
        body = {"title": "Cabin", "visibility": "hidden", "password": PASSWORD}
        async with client.post("/chats", json=body) as response:
            room = (await response.json())["id"]
        path = f"/chats/{room}"
        claims = {"username": "david", "room_id": room, "gen": 0, "exp": int(time.time()) + 2}
        good = await ask(client, room, "david", PASSWORD)
        claims["gen"] = jwt.decode(good, SECRET, algorithms=["HS256"])["gen"]
        brief = jwt.encode(claims, SECRET, algorithm="HS256")
        socket = await listen(server, f"{path}/ws", token=brief)
        await asyncio.sleep(2.1)
        renewed = await status_of(client, "GET", f"{path}/token/renew", brief)
        checks.equal(renewed, (403, 403), "renewed too late")
        await socket.say(event_type="send", name="david", msg="still here")
        checks.equal((await socket.next() or {}).get("event_type"), "send", "inside it lasts")
        await socket.end()


PARTS = [forged, expiry]
