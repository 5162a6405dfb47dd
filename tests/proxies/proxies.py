#!/usr/bin/env python3
"""The README's proxies, with the README's own texts: only ports, names of files and host names are
replaced. Each proxy that is installed is started before a server of its own, and everything that a
client does is tried through it. `make proxies` runs it, in a network of its own."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from client import Door

ROOT = Path(__file__).resolve().parents[2]
TLS = ROOT / "tests/it/tls"
PROGRAM = os.environ.get("SHANTY", str(ROOT / "target/release/shanty"))
# Two addresses of this machine that are no loopback addresses, in the network of `make proxies`.
OUTSIDE, ANOTHER = os.environ.get("OUTSIDE", " ").split(" ")
SERVER = 17771
# PROXY protocol, version 2: a connection of the proxy itself.
LOCAL_HEADER = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
DOOR = 17772


def blocks():
    """The fenced texts of the README's section about proxies, by their language."""
    readme = (ROOT / "README.md").read_text()
    section = readme.split("### Behind a proxy\n")[1].split("\n### Login by the proxy")[0]
    found = re.findall(r"^```(\w+)\n(.*?)^```", section, re.S | re.M)
    return lambda language, part: next(
        text for name, text in found if name == language and part in text
    )


class Running:
    """A program that is ended in the end."""

    def __init__(self, folder, name, *command):
        self.log = folder / f"{name}.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(15)


def opens(port, running):
    """Waits until something listens there."""
    for _ in range(300):
        try:
            Door("http", "127.0.0.1", port).dial().close()  # It may be told that nobody came.
            return
        except OSError:
            time.sleep(0.05)
        assert running.process.poll() is None, running.log.read_text()
    raise TimeoutError(running.log.read_text())


def server(folder, *flags):
    for old in folder.glob("shanty.db*"):
        old.unlink()
    running = Running(folder, "shanty", PROGRAM, "--listen", f"127.0.0.1:{SERVER}",
                      "--db", str(folder / "shanty.db"), *flags)
    time.sleep(0.3)
    return running


def adapt(text, folder):
    """Other ports, the tests' certificate, and any host name."""
    text = text.replace("7777", str(SERVER))
    for ending in ["crt", "key", "pem"]:
        text = text.replace(f"/etc/ssl/chat.example.org.{ending}", str(folder / ending))
    text = re.sub(r"listen 443 ssl", f"listen {DOOR} ssl", text)
    text = text.replace("bind :443", f"bind :{DOOR}").replace("*:443", f"*:{DOOR}")
    return text.replace("server_name chat.example.org", "server_name _")


def nginx(folder, text):
    main = folder / "nginx.conf"
    main.write_text(f"""
daemon off; user root; pid {folder}/nginx.pid; error_log stderr; events {{}}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxied;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
{text} }}""")
    return Running(folder, "nginx", "nginx", "-p", str(folder), "-c", str(main))


def haproxy(folder, text):
    main = folder / "haproxy.cfg"
    main.write_text(text)
    return Running(folder, "haproxy", "haproxy", "-db", "-f", str(main))


def apache(folder, text):
    modules = "/usr/lib/apache2/modules"
    loads = "".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so\n"
        for name in ["mpm_event", "authz_core", "ssl", "socache_shmcb", "proxy", "proxy_http",
                     "headers"])
    main = folder / "apache.conf"
    main.write_text(f"ServerRoot {folder}\nPidFile {folder}/apache.pid\nErrorLog /dev/stderr\n"
                    f"ServerName localhost\n{loads}Listen {DOOR}\n{text}")
    return Running(folder, "apache", "apache2", "-f", str(main), "-D", "FOREGROUND")


def caddy(folder, text):
    main = folder / "Caddyfile"
    main.write_text("{\n admin off\n auto_https off\n storage file_system " + str(folder / "caddy")
                    + "\n}\n" + text)
    return Running(folder, "caddy", "caddy", "run", "--config", str(main), "--adapter",
                   "caddyfile")


def that(what, fact, told=""):
    print(f"  {'ok  ' if fact else 'FAIL'}  {what}{'' if fact else f': {told}'}")
    if not fact:
        that.failed += 1


that.failed = 0


def try_all(door, path):
    """Everything that a client does. `path`: of the login cookie."""
    page = door.ask("GET", "/")
    that("the page", page.status == 200 and b"<title>Shanty" in page.rest, page.status)
    script = re.search(rb'"(web/[0-9a-f]+/app.js)"', page.rest)
    got = script and door.ask("GET", f"/{script[1].decode()}", {"Accept-Encoding": "gzip"})
    that("its files", got and got.status == 200, script)
    made = door.ask("POST", "/api/register", body={"username": "ann"})
    key = made.json()["key"]
    login = door.ask("POST", "/api/login", body={"key": key})
    plain = next((one for one in login.cookies() if one.startswith("session=")), "")
    that("the login cookie's path", f"Path={path};" in plain, login.cookies())
    that("the login cookie is Secure", "Secure" in plain, plain)
    cookie = {"Cookie": plain.split(";")[0]}
    me = door.ask("GET", "/api/v1/me", cookie)
    that("the login", me.status == 200 and me.json()["name"] == "ann", me.status)
    own = {**cookie, "Origin": f"{door.scheme}://{door.host_header}"}
    said = door.ask("POST", "/api/v1/rooms/1/messages", own, {"text": "from the own page"})
    that("the own page is no foreign one", said.status == 201, said.status)

    listeners = {
        "a websocket": door.socket("/api/v1/events", cookie),
        "server-sent events": door.send("GET", "/api/v1/events",
                                        {**cookie, "Accept": "text/event-stream"}),
        "NDJSON": door.send("GET", "/api/v1/events", cookie),
        "plain lines": door.send("GET", "/r/1", cookie),
    }
    pirate = door.socket("/ws", cookie)
    guest = door.socket("/chats/1/ws")
    guest.say(event_type="join", name="jack")
    guest.hear(lambda frame: frame.get("event_type") == "join")
    pirate.say(message="Land!")
    pirate.hear(lambda frame: frame.get("status") is True)
    that("Piratchat's websocket", True)
    guest.hear(lambda frame: frame.get("msg") == "Land!")
    that("ChitChat's websocket", True)
    for name, listener in listeners.items():
        try:
            if name == "a websocket":
                listener.hear(lambda frame: frame.get("text") == "Land!")
            else:
                listener.hear("Land!")
            that(f"the stream as {name}", True)
        except (TimeoutError, OSError, EOFError) as error:
            that(f"the stream as {name}", False, error)
    long = door.ask("POST", "/api/v1/rooms/1/messages", own, {"text": "\U0001f980" * 4000})
    that("a long message", long.status == 201, long.status)
    huge = door.ask("POST", "/api/v1/rooms/1/messages", own, {"text": "x" * 60_000})
    that("one that is too long", huge.status == 422, huge.status)
    tour = door.send("GET", "/chats/1/entrance", {"Connection": "close"})
    that("a redirect", tour.header("location") == "../../#/room/1", tour.headers)


def try_addresses(door, local, flags, folder):
    """Who the client is, whatever it says. `local`: the server itself, from this machine."""
    for claim in [{}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1"},
                  {"Forwarded": "for=127.0.0.1"}]:
        status = door.ask("GET", "/metrics", claim).status
        that(f"a client is not this machine {claim}", status == 404, status)
    if not OUTSIDE:
        print("  left out: an address of its own (make proxies gives one)")
        return
    outside = Door(door.scheme, OUTSIDE, door.port, door.base, "localhost")
    db = ["--db", str(folder / "shanty.db")]
    subprocess.run([PROGRAM, "admin", "make-owner", "zoe", *db], check=True,
                   stdout=subprocess.DEVNULL)
    owner = {"Authorization": f"Bearer {local.owner}"}
    ban = local.ask("PUT", f"/api/v1/bans/addresses/{OUTSIDE}", owner, {"minutes": 5})
    that("a ban of the client's address", ban.status == 204, ban.status)
    for claim in [{}, {"X-Forwarded-For": "198.51.100.1"}]:
        banned = outside.ask("GET", "/chats", claim)
        that(f"it meets the client {claim}", banned.status == 403, banned.status)
    another = Door(door.scheme, ANOTHER, door.port, door.base, "localhost")
    for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded"]:
        claim = {name: f"for={OUTSIDE}" if name == "Forwarded" else OUTSIDE}
        spared = another.ask("GET", "/chats", claim)
        that(f"and nobody else {claim}", spared.status == 200, spared.status)


def doctor(door, flags, folder):
    env = {**os.environ, "CURL_CA_BUNDLE": str(TLS / "ca.pem")}
    done = subprocess.run(
        [PROGRAM, "doctor", "--db", str(folder / "shanty.db"), "--listen",
         f"127.0.0.1:{SERVER}", "--disk-free", "0", "--url", door.url(), *flags],
        env=env, cwd=folder, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    wrong = [line for line in lines if "descriptors" not in line]
    that("doctor finds nothing wrong", not wrong, wrong)


def run(name, program, start, text, base="", path="/", flags=(), local=None):
    """One proxy and one way to use it. `local`: the way to the server itself."""
    print(f"{name}")
    if not shutil.which(program):
        print(f"  left out: there is no {program} here")
        return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        certificate, key = [(TLS / f"first.{ending}").read_text() for ending in ["pem", "key"]]
        for ending, content in [("crt", certificate), ("key", key), ("pem", certificate + key)]:
            (folder / ending).write_text(content)
            (folder / ending).chmod(0o600)
        with server(folder, *flags) as shanty, start(folder, adapt(text, folder)) as proxy:
            opens(SERVER, shanty)
            opens(DOOR, proxy)
            door = Door("https", "localhost", DOOR, base)
            local = local or Door("http", "127.0.0.1", SERVER)
            try:
                made = local.ask("POST", "/api/register", body={"username": "zoe"})
                local.owner = made.json()["key"]
                try_all(door, path)
                try_addresses(door, local, flags, folder)
                doctor(door, flags, folder)
            except Exception as error:
                that("everything", False, f"{error!r}\n{proxy.log.read_text()[-2000:]}")


def main():
    block = blocks()
    whole = block("nginx", "server {")
    location = block("nginx", "location /chat/")
    below = re.sub(r"    location / \{.*?\n    \}\n", lambda _: location, whole, flags=re.S)
    kept = whole.replace("location / {", "location /chat/ {")
    run("nginx", "nginx", nginx, whole)
    run("nginx, which removes a path", "nginx", nginx, below, "/chat", "/chat/")
    run("nginx, which keeps a path", "nginx", nginx, kept, "/chat", "/chat/",
        ["--base-path", "/chat"], Door("http", "127.0.0.1", SERVER, "/chat"))
    run("HAProxy", "haproxy", haproxy, block("haproxy", "mode http"))
    tcp = block("haproxy", "mode tcp")
    run("HAProxy with the PROXY protocol", "haproxy", haproxy,
        "defaults\n timeout connect 5s\n timeout client 90s\n" + tcp,
        flags=["--proxy-protocol", "--tls-cert", "crt", "--tls-key", "key"],
        local=Door("https", "127.0.0.1", SERVER, greeting=LOCAL_HEADER))
    run("Apache", "apache2", apache, block("apache", "<VirtualHost"))
    sites = block("text", "reverse_proxy")
    host, path = sites.split("\nhome.example {")
    tls = "{\n    tls crt key\n"
    host = host.replace("chat.example.org {\n", f"https://localhost:{DOOR} {tls}")
    run("Caddy", "caddy", caddy, host)
    run("Caddy, which removes a path", "caddy", caddy, f"https://localhost:{DOOR} {tls}" + path[1:],
        "/chat", "/chat/")
    print(f"{'all held' if not that.failed else f'{that.failed} failed'}")
    sys.exit(bool(that.failed))


if __name__ == "__main__":
    main()
