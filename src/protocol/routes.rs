//! Routes: each protocol has one table, with one line for each method of each path and its handler.
//! The methods of a path follow from the table. Read by [`route`](super::route).
//!
//! The table has no column for the length of a body: all requests have one limit,
//! [`BODY_BYTES_MAX`](crate::limits::BODY_BYTES_MAX), which [`http`](crate::http) applies before
//! there is a whole request to route.

use crate::chat::SubscriptionId;
use crate::http::{Method, Request, Response};
use crate::protocol::{Context, Outcome, Responding};

/// One line of a table; see [`routes!`].
pub(super) struct Route {
    /// The method. HEAD is GET whose content is not sent (RFC 9110 section 9.3.2), so it has no
    /// routes of its own.
    pub method: Method,
    /// Whether the response stays open: a websocket, or a body that does not end. HEAD is not
    /// allowed there.
    pub stays: bool,
    /// The path: `{room}` stands for any segment, `{name+}` for one that is not empty.
    pub path: &'static str,
    /// Answers the request.
    pub handle: for<'a> fn(Routed<'a>) -> Responding<'a>,
}

impl Route {
    fn takes(&self, method: Method) -> bool {
        let asked = if method == Method::Head && !self.stays { Method::Get } else { method };
        self.method == asked
    }
}

/// A request for which a route was found.
pub(super) struct Routed<'a> {
    pub context: &'a Context,
    /// A number never used before, for the subscription that a stream takes.
    pub subscription: SubscriptionId,
    pub request: &'a Request,
    /// The decoded segments of the request's path.
    pub path: &'a [&'a str],
}

impl<'a> Routed<'a> {
    /// The segments of the request's path that stand at these placeholders of the route's path.
    ///
    /// # Panics
    /// When the route's path has no such name; tests send a request to each route.
    pub fn named<const N: usize>(&self, path: &str, names: [&str; N]) -> [&'a str; N] {
        names.map(|name| {
            let mut places = places(path).map(placeholder).zip(self.path);
            let named = places.find(|(place, _)| *place == Some(name));
            *named.expect("a route names segments of its own path").1
        })
    }
}

/// Writes a table of routes: the method, the path, the handler, and the segments of the path that
/// the handler takes after the context and the request.
///
/// ```text
/// routes! {
///     Get "/api/v1/users/{name}" => identity::person(name),
///     Stream "/api/v1/events" => events::all(),
/// }
/// ```
///
/// `Stream` is a GET whose response stays open; its handler takes the context, the subscription and
/// the request.
macro_rules! routes {
    ($($method:ident $path:literal => $($handler:ident)::+ ($($segment:ident),*),)+) => {
        &[$($crate::protocol::routes::Route {
            method: routes!(@method $method),
            stays: routes!(@stays $method),
            path: $path,
            handle: |routed| Box::pin(async move {
                let [$($segment),*] = routed.named($path, [$(stringify!($segment)),*]);
                let answered = routes!(@call $method routed ($($handler)::+) $($segment)*);
                $crate::protocol::routes::outcome(answered.await)
            }),
        }),+]
    };
    (@method Stream) => { $crate::http::Method::Get };
    (@method $method:ident) => { $crate::http::Method::$method };
    (@stays Stream) => { true };
    (@stays $method:ident) => { false };
    (@call Stream $routed:ident ($handler:path) $($segment:ident)*) => {
        $handler($routed.context, $routed.subscription, $routed.request, $($segment),*)
    };
    (@call $method:ident $routed:ident ($handler:path) $($segment:ident)*) => {
        $handler($routed.context, $routed.request, $($segment),*)
    };
}
pub(super) use routes;

/// The outcome of a request, made from its handler's result.
pub(super) fn outcome(answered: Result<impl Into<Outcome>, impl Into<Response>>) -> Outcome {
    answered.map_or_else(|refused| Outcome::Response(refused.into()), Into::into)
}

/// The first route that takes such a request.
pub(super) fn find(
    routes: &'static [Route],
    method: Method,
    path: &[&str],
) -> Option<&'static Route> {
    routes.iter().find(|route| route.takes(method) && fits(route.path, path))
}

/// The methods that a path allows; none, if there is no such path.
pub(super) fn allowed(routes: &[Route], path: &[&str]) -> Vec<Method> {
    let here: Vec<&Route> = routes.iter().filter(|route| fits(route.path, path)).collect();
    let allows = |method: &Method| match method {
        Method::Options => !here.is_empty(),
        method => here.iter().any(|route| route.takes(*method)),
    };
    Method::ALL.into_iter().filter(allows).collect()
}

/// Whether a path matches a route.
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

/// The name of a placeholder; `None` for a literal segment.
fn placeholder(place: &str) -> Option<&str> {
    place.strip_prefix('{').map(|name| name.trim_end_matches(['+', '}']))
}

/// The segments of a route's path.
fn places(route: &str) -> impl Iterator<Item = &str> {
    route.split('/').skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method::{Delete, Get, Head, Options, Post};

    async fn show(_: &Context, _: &Request, _: &str) -> Result<Response, Response> {
        Ok(Response::new(200))
    }

    async fn hear(_: &Context, _: SubscriptionId, _: &Request) -> Result<Response, Response> {
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
