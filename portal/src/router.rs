//! The router: one list of routes, each with who may come in, and the layers around them all. No route exists but
//! through this list, so none is without a policy.

use std::time::Instant;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    csrf::CsrfLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
};
use tracing::Instrument;

use crate::{
    App, AppState, Error, api, auth,
    auth::Viewer,
    error::{self, is_api},
    pages, webhooks,
};

/// Who may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody, but only in a demo; elsewhere there is no such page.
    Demo,
    /// A person who is signed in, or below `/api` a key with the scope `read`. The handler sees what its
    /// [`Viewer`]'s scope shows.
    Read,
    /// The same who may also change things: a key with the scope `control`, a person who runs at least one site.
    /// Whether this very thing may be changed is the handler's question: [`Viewer::must_control`].
    Control,
    /// A reader of every site: what belongs to no site is theirs alone.
    ReadAll,
    /// The same with the right to change things.
    ControlAll,
}

/// One route: a way in, who may take it, and where it leads.
#[derive(Debug, Clone)]
pub struct Route {
    /// `GET` and its like, as the table shows it.
    pub method: Method,
    /// In axum's spelling, `{name}` for a variable part.
    pub path: &'static str,
    /// Who may come in.
    pub access: Access,
    handler: MethodRouter<AppState>,
}

impl Route {
    /// A page or resource to look at.
    pub fn get<H, T>(path: &'static str, access: Access, handler: H) -> Self
    where
        H: axum::handler::Handler<T, AppState>,
        T: 'static,
    {
        Route::on(Method::GET, path, access, axum::routing::get(handler))
    }

    /// Something to do.
    pub fn post<H, T>(path: &'static str, access: Access, handler: H) -> Self
    where
        H: axum::handler::Handler<T, AppState>,
        T: 'static,
    {
        Route::on(Method::POST, path, access, axum::routing::post(handler))
    }

    /// Something to be as given.
    pub fn put<H, T>(path: &'static str, access: Access, handler: H) -> Self
    where
        H: axum::handler::Handler<T, AppState>,
        T: 'static,
    {
        Route::on(Method::PUT, path, access, axum::routing::put(handler))
    }

    /// Something to take away.
    pub fn delete<H, T>(path: &'static str, access: Access, handler: H) -> Self
    where
        H: axum::handler::Handler<T, AppState>,
        T: 'static,
    {
        Route::on(Method::DELETE, path, access, axum::routing::delete(handler))
    }

    /// Something to change in part.
    pub fn patch<H, T>(path: &'static str, access: Access, handler: H) -> Self
    where
        H: axum::handler::Handler<T, AppState>,
        T: 'static,
    {
        Route::on(Method::PATCH, path, access, axum::routing::patch(handler))
    }

    fn on(
        method: Method,
        path: &'static str,
        access: Access,
        handler: MethodRouter<AppState>,
    ) -> Self {
        Route {
            method,
            path,
            access,
            handler,
        }
    }
}

/// Every route there is.
pub fn routes() -> Vec<Route> {
    [
        auth::routes(),
        api::routes(),
        webhooks::routes(),
        pages::routes(),
    ]
    .concat()
}

/// A body larger than this is refused with 413.
const BODY_LIMIT: usize = 256 * 1024;

/// The whole portal, ready to be served.
pub fn router(app: &AppState) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let door = Door {
            app: app.clone(),
            method: route.method,
            path: route.path,
            access: route.access,
        };
        let wall = middleware::from_fn_with_state(door, observed);
        router = router.route(route.path, route.handler.route_layer(wall));
    }
    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(csrf(app))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            auth::client::attach,
        ))
        .layer(middleware::from_fn_with_state(
            app.clone(),
            pages::flash::shown,
        ))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(error::render))
        .layer(middleware::map_response_with_state(
            app.clone(),
            security_headers,
        ))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(middleware::map_request(without_request_id))
        .with_state(app.clone())
}

/// What the wall knows of a route.
#[derive(Clone)]
struct Door {
    app: AppState,
    method: Method,
    path: &'static str,
    access: Access,
}

/// Counts a request by its route, and names it in whatever is logged on its way.
async fn observed(State(door): State<Door>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let request_id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    let span = tracing::info_span!(
        "request", id = request_id, method = %door.method, route = door.path, user.id = tracing::field::Empty
    );
    let (method, path) = (door.method.to_string(), door.path);
    let response = wall(door, request, next)
        .instrument(span)
        .await
        .into_response();
    let status = response.status().as_u16().to_string();
    let labels = [
        ("method", method),
        ("route", path.to_owned()),
        ("status", status),
    ];
    metrics::histogram!("portal_request_seconds", &labels).record(begun.elapsed());
    response
}

/// Lets in whom the table lets in, and hands the [`Viewer`] on.
async fn wall(door: Door, mut request: Request, next: Next) -> Result<Response, Error> {
    let address = request
        .extensions()
        .get::<auth::client::Client>()
        .map(|client| client.counted())
        .unwrap_or_default();
    match door.access {
        // A page brings many files along, and a webhook is counted when its signature does not fit.
        Access::Public
            if ["/assets/{name}", "/favicon.ico", "/webhooks/lago"].contains(&door.path) => {}
        Access::Public if door.method == Method::POST && door.path.starts_with("/login") => {
            door.app.limits.auth(&address)?;
        }
        Access::Public => door.app.limits.general(&address)?,
        Access::Demo if door.app.config.demo => {}
        Access::Demo => return Err(no_such_page(request.uri().path())),
        Access::Read | Access::Control | Access::ReadAll | Access::ControlAll => {
            let known = auth::identify(&door.app, request.uri().path(), request.headers()).await?;
            let Some(viewer) = known else {
                door.app.limits.general(&address)?;
                return Err(Error::Unauthenticated);
            };
            if let Some(id) = viewer.actor.id() {
                tracing::Span::current().record("user.id", tracing::field::display(id));
                door.app.limits.known(&id.to_string())?;
            }
            viewer.may(door.access)?;
            request.extensions_mut().insert::<Viewer>(viewer);
        }
    }
    Ok(next.run(request).await)
}

/// The portal trusts its own origin even where a proxy rewrites Host.
fn csrf(
    app: &App,
) -> CsrfLayer<impl Clone + Send + Sync + 'static + Fn(tower_http::csrf::ProtectionError) -> Response>
{
    let layer = CsrfLayer::new();
    let layer = match layer.clone().add_trusted_origin(&app.config.public_url) {
        Ok(layer) => layer,
        Err(error) => {
            tracing::warn!(public_url = app.config.public_url, %error, "PUBLIC_URL is no origin that browsers send");
            layer
        }
    };
    layer.with_rejection_response(|_| {
        Error::Forbidden("this request came from another site and was not obeyed".to_owned())
            .into_response()
    })
}

/// The id of a request is ours to give: it stands in logs and pages.
async fn without_request_id(mut request: Request) -> Request {
    request.headers_mut().remove("x-request-id");
    request
}

fn no_such_page(path: &str) -> Error {
    Error::NotFound(if is_api(path) {
        format!("there is nothing at {path}")
    } else {
        "there is no such page".to_owned()
    })
}

async fn not_found(request: Request) -> Error {
    no_such_page(request.uri().path())
}

async fn method_not_allowed(request: Request) -> Error {
    Error::Refused(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("{} does not fit {}", request.method(), request.uri().path()),
    )
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic");
    Error::Broken(what.to_owned()).into_response()
}

/// Nothing from elsewhere, nothing inline, no frame around us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

async fn security_headers(State(app): State<AppState>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "same-origin");
    set(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    );
    // Pages and answers show what one reader may see; assets say otherwise themselves.
    set(header::CACHE_CONTROL, "no-store");
    if app.config.secure_cookies() {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
