//! Routes: each protocol has one table, a line for each method of each path, in which the handler
//! stands. What a path allows follows from the table. Read by [`route`](super::route).
//!
//! The table has no column for the length of a body: all requests have one limit,
//! [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX), which [`http`](crate::http) applies before
//! there is a whole request to route.

use crate::chat::SeatId;
use crate::http::{Method, Request, Response};
use crate::protocol::{Context, Outcome, Responding};

/// One line of a table, as [`routes!`] writes it.
pub(super) struct Route {
    /// What the request is to do.
    pub verb: Verb,
    /// The path: `{room}` stands for any segment, `{name+}` for one that is not empty.
    pub path: &'static str,
    /// Answers the request.
    pub handle: for<'a> fn(Routed<'a>) -> Responding<'a>,
}

/// The methods by which routes are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    /// GET; and HEAD, which is GET whose content is not sent (RFC 9110 section 9.3.2).
    Get,
    /// GET of what stays open: a websocket, or a response that does not end. So there is no HEAD.
    Stream,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    fn takes(self, method: Method) -> bool {
        match self {
            Verb::Get => matches!(method, Method::Get | Method::Head),
            Verb::Stream => method == Method::Get,
            Verb::Post => method == Method::Post,
            Verb::Put => method == Method::Put,
            Verb::Patch => method == Method::Patch,
            Verb::Delete => method == Method::Delete,
        }
    }
}

/// A request for which a route was found.
pub(super) struct Routed<'a> {
    pub context: &'a Context,
    /// A number never used before, for the seat that a stream takes.
    pub seat: SeatId,
    pub request: &'a Request,
    /// The decoded segments of the request's path.
    pub path: &'a [&'a str],
}

impl<'a> Routed<'a> {
    /// The segments that a route's path names so.
    ///
    /// # Panics
    /// When the route's path has no such name; tests send a request to each route.
    pub fn named<const N: usize>(&self, path: &str, names: [&str; N]) -> [&'a str; N] {
        names.map(|name| {
            let mut places = places(path).zip(self.path);
            let named = places.find(|(place, _)| place.trim_matches(['{', '+', '}']) == name);
            *named.expect("a route names segments of its own path").1
        })
    }
}

/// Writes a table of routes: verb, path, handler, and which segments of the path the handler takes
/// behind the context and the request (of a stream: context, seat, request).
///
/// ```text
/// routes! {
///     Get "/api/v1/users/{name}" => identity::person(name),
/// }
/// ```
macro_rules! routes {
    ($($verb:ident $path:literal => $($handler:ident)::+ ($($segment:ident),*),)+) => {
        &[$($crate::protocol::routes::Route {
            verb: $crate::protocol::routes::Verb::$verb,
            path: $path,
            handle: |routed| Box::pin(async move {
                let [$($segment),*] = routed.named($path, [$(stringify!($segment)),*]);
                let answered = routes!(@call $verb routed ($($handler)::+) $($segment)*);
                $crate::protocol::routes::outcome(answered.await)
            }),
        }),+]
    };
    (@call Stream $routed:ident ($handler:path) $($segment:ident)*) => {
        $handler($routed.context, $routed.seat, $routed.request, $($segment),*)
    };
    (@call $verb:ident $routed:ident ($handler:path) $($segment:ident)*) => {
        $handler($routed.context, $routed.request, $($segment),*)
    };
}
pub(super) use routes;

/// What becomes of a request, by what its handler has returned.
pub(super) fn outcome(answered: Result<impl Into<Outcome>, impl Into<Response>>) -> Outcome {
    answered.map_or_else(|refused| Outcome::Response(refused.into()), Into::into)
}

/// The first route that takes such a request.
pub(super) fn find(
    routes: &'static [Route],
    method: Method,
    path: &[&str],
) -> Option<&'static Route> {
    routes.iter().find(|route| route.verb.takes(method) && fits(route.path, path))
}

/// The methods that a path allows; none, if there is no such path.
pub(super) fn allowed(routes: &[Route], path: &[&str]) -> Vec<Method> {
    let here: Vec<Verb> =
        routes.iter().filter(|route| fits(route.path, path)).map(|route| route.verb).collect();
    let allows = |method: &Method| match method {
        Method::Options => !here.is_empty(),
        method => here.iter().any(|verb| verb.takes(*method)),
    };
    Method::ALL.into_iter().filter(allows).collect()
}

/// Whether a path is one of a route.
fn fits(route: &str, path: &[&str]) -> bool {
    let mut segments = path.iter();
    let all = places(route).all(|place| {
        segments.next().is_some_and(|segment| match place.strip_prefix('{') {
            Some(name) => !segment.is_empty() || !name.ends_with("+}"),
            None => place == *segment,
        })
    });
    all && segments.next().is_none()
}

/// The segments of a route's path.
fn places(route: &str) -> impl Iterator<Item = &str> {
    route.split('/').skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method::{Delete, Get, Head, Options, Post};

    async fn show(_: &Context, _: &Request, _room: &str) -> Result<Response, Response> {
        Ok(Response::new(200))
    }

    async fn hear(_: &Context, _: SeatId, _: &Request) -> Result<Response, Response> {
        Ok(Response::new(200))
    }

    const ROUTES: &[Route] = routes! {
        Get "/rooms/{room}" => show(room),
        Delete "/rooms/{room}" => show(room),
        Stream "/rooms/live" => hear(),
        Post "/people/{name+}/{room}" => show(room),
    };

    #[test]
    fn a_path_allows_what_its_routes_take() {
        for (path, expected) in [
            (&["rooms", "1"][..], &[Get, Head, Delete, Options][..]),
            (&["rooms", ""], &[Get, Head, Delete, Options]),
            (&["rooms", "live"], &[Get, Head, Delete, Options]),
            (&["rooms"], &[]),
            (&["rooms", "1", ""], &[]),
            (&["people", "ann", ""], &[Post, Options]),
            (&["people", "", "1"], &[]),
            (&[], &[]),
        ] {
            assert_eq!(allowed(ROUTES, path), expected, "{path:?}");
            for method in Method::ALL {
                let found = find(ROUTES, method, path).is_some();
                assert_eq!(found, expected.contains(&method) && method != Options, "{path:?}");
            }
        }
        assert_eq!(allowed(&ROUTES[2..3], &["rooms", "live"]), [Get, Options], "no HEAD");
    }

    #[test]
    fn the_first_line_that_fits_is_taken() {
        let found = find(ROUTES, Get, &["rooms", "live"]).expect("a route");
        assert_eq!(found.path, "/rooms/{room}");
    }
}
