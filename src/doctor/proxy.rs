//! The way through a proxy, as a browser takes it: whether the proxy passes on what the server has
//! to know. It asks by `curl`, which knows TLS and the certificates of this machine.
//!
//! No request here changes anything, and none is logged in.

use std::process::Command;

use crate::doctor::Finding;
use crate::limits::operating::HEALTH_DEADLINE_MS;

/// An answer that came through the proxy.
struct Answer {
    status: u16,
    /// Status line and headers.
    head: String,
    body: String,
}

/// Examines the way to a server. `url`: the address of its page.
pub(super) fn examine(url: &str) -> Vec<(&'static str, Finding)> {
    let Some((scheme, origin, base)) = parts(url) else {
        let error = format!("{url:?} should be an address such as https://chat.example.org");
        return vec![("proxy", Err(error))];
    };
    let ask = |path: &str, options: &[&str]| curl(&format!("{base}{path}"), options);
    let reached = ask("/api/v1/server", &[]).and_then(|answer| match answer.status {
        200 if answer.body.contains("\"name\":\"Shanty\"") => Ok(format!("{base} leads to Shanty")),
        200 => Err(format!("{base} leads to another program: check the proxy's address for it")),
        421 => Err(format!("the server does not know its name in {base}: add it with --host")),
        status @ (502..=504) => {
            Err(format!("the proxy answers {status}: it does not reach the server; does one run?"))
        }
        status => Err(format!("{base}/api/v1/server answers {status} instead of 200")),
    });
    if reached.is_err() {
        return vec![("proxy", reached)];
    }
    vec![
        ("proxy", reached),
        ("client address", ask("/metrics", &[]).and_then(client_address)),
        ("scheme", ask("/api/logout", &[]).and_then(|answer| scheme_known(scheme, &answer))),
        ("host name", {
            let from = format!("Origin: {origin}");
            // Nobody has room 0, and nobody is logged in.
            ask("/api/v1/rooms/0", &["-X", "DELETE", "-H", &from]).and_then(host_name)
        }),
        ("websockets", {
            let headers = [
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ];
            let mut options = vec!["--http1.1"];
            options.extend(headers.iter().flat_map(|header| ["-H", header]));
            ask("/ws", &options).and_then(websockets)
        }),
    ]
}

/// Scheme, origin and base address of a URL.
fn parts(url: &str) -> Option<(&str, String, &str)> {
    let base = url.trim_end_matches('/');
    let (scheme, rest) = base.split_once("://")?;
    let host = rest.split('/').next().filter(|host| !host.is_empty())?;
    let plain = !rest.contains(|char: char| !char.is_ascii_graphic() || "?#@{}[]*".contains(char));
    let known = matches!(scheme, "http" | "https");
    (known && plain).then(|| (scheme, format!("{scheme}://{host}"), base))
}

fn curl(url: &str, options: &[&str]) -> Result<Answer, String> {
    let seconds = (HEALTH_DEADLINE_MS / 1000).to_string();
    let mut command = Command::new("curl");
    // Without the user's own settings for curl.
    command.args(["-q", "-sS", "-i", "--max-time", &seconds]).args(options);
    let done = command.args(["--url", url]).output().map_err(|error| {
        format!("cannot run curl ({error}): install it, as this command asks by it")
    })?;
    let text = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        let error = String::from_utf8_lossy(&done.stderr);
        let error = error.lines().next().unwrap_or("curl failed").to_owned();
        return Err(format!("{url}: {error}: check address, proxy and certificate"));
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// `/metrics` is there for programs on the server's machine, and for nobody behind a proxy.
fn client_address(answer: Answer) -> Finding {
    match answer.status {
        404 => Ok("the proxy names its clients".to_owned()),
        200 => {
            Err("the proxy does not name its clients, so all of them count as this machine: let \
                    it set X-Forwarded-For (README, \"Behind a proxy\")"
                .to_owned())
        }
        status => Err(format!("/metrics answers {status} instead of 404")),
    }
}

/// The server takes away the cookie of a client that has none, too: over TLS a `Secure` one.
fn scheme_known(scheme: &str, answer: &Answer) -> Finding {
    let secure = answer.head.contains("; Secure");
    match scheme {
        "http" => {
            Err("keys and messages cross the network unencrypted: let the proxy do TLS, and \
                       name its https:// address here"
                .to_owned())
        }
        _ if secure => Ok("the server knows that clients come over TLS".to_owned()),
        _ => Err("the server does not know that clients come over TLS, so its cookie is not \
                  Secure: let the proxy set X-Forwarded-Proto"
            .to_owned()),
    }
}

/// A page of the server's own host may change something, once it is logged in.
fn host_name(answer: Answer) -> Finding {
    match answer.status {
        401 => Ok("the proxy passes it on".to_owned()),
        403 => {
            Err("the server takes its own page for a foreign one: let the proxy pass on Host as \
                    the browser sent it, with its port"
                .to_owned())
        }
        status => Err(format!("a request of the own page is answered with {status}, not 401")),
    }
}

/// Piratchat refuses a websocket without a login for that, and not as an ordinary request.
fn websockets(answer: Answer) -> Finding {
    match answer.status {
        422 => Ok("the proxy passes them on".to_owned()),
        404 | 426 => Err("the proxy does not pass websockets on: let it speak HTTP/1.1 to the \
                          server, and set Upgrade and Connection"
            .to_owned()),
        status => Err(format!("a websocket without a login is answered with {status}, not 422")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, head: &str) -> Answer {
        Answer { status, head: head.to_owned(), body: String::new() }
    }

    #[test]
    fn addresses() {
        for (url, scheme, origin, base) in [
            ("https://a.example/", "https", "https://a.example", "https://a.example"),
            ("http://a:80/chat/", "http", "http://a:80", "http://a:80/chat"),
        ] {
            assert_eq!(parts(url), Some((scheme, origin.to_owned(), base)), "{url}");
        }
        for url in ["", "a.example", "ftp://a", "https://", "https:///x", "https://a/{b}", "-o x"] {
            assert_eq!(parts(url), None, "{url}");
        }
    }

    #[test]
    fn what_a_proxy_leaves_out_is_named() {
        for (finding, says) in [
            (client_address(answer(200, "")), "X-Forwarded-For"),
            (scheme_known("https", &answer(200, "HTTP/2 200")), "X-Forwarded-Proto"),
            (scheme_known("http", &answer(200, "")), "TLS"),
            (host_name(answer(403, "")), "pass on Host"),
            (websockets(answer(426, "")), "Upgrade"),
        ] {
            assert!(finding.is_err_and(|error| error.contains(says)), "{says}");
        }
        let secure = answer(200, "HTTP/2 200\r\nset-cookie: session=; Path=/chat/; Secure");
        assert!(scheme_known("https", &secure).is_ok());
        assert!(client_address(answer(404, "")).is_ok() && host_name(answer(401, "")).is_ok());
        assert!(websockets(answer(422, "")).is_ok());
    }
}
