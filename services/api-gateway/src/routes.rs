//! Every route of this service: the closed list.

use actix_web::{
    middleware::from_fn,
    web::{Data, ServiceConfig, delete, get, patch, post, put, resource},
};
use web::{JsonLimits, problem::only};

use crate::{
    agents, app::App, auth::gate, dead_letters, deliveries, events, openapi, runs, schedules,
    settings::Settings, tasks,
};

macro_rules! routes {
    ($($path:literal: $first:ident $first_handler:path $(, $method:ident $handler:path)*;)*) => {
        /// Each path with its methods.
        #[cfg(test)]
        pub(crate) const ROUTES: &[(&str, &[&str])] =
            &[$(($path, &[stringify!($first) $(, stringify!($method))*])),*];

        /// Adds the routes of the API, each behind the gate.
        fn mount_api(app: &Data<App>, config: &mut ServiceConfig) {
            $(
                config.service(
                    resource($path)
                        .app_data(json_limits($path, &app.settings))
                        .route($first().to($first_handler))
                        $(.route($method().to($handler)))*
                        .default_service(only(allow!($first $($method)*)))
                        .wrap(from_fn(gate)),
                );
            )*
        }
    };
}

/// Methods as `Allow` lists them.
macro_rules! allow {
    ($first:ident $($rest:ident)*) => { concat!(allow!(@ $first) $(, ", ", allow!(@ $rest))*) };
    (@ get) => { "GET" };
    (@ post) => { "POST" };
    (@ put) => { "PUT" };
    (@ patch) => { "PATCH" };
    (@ delete) => { "DELETE" };
}

routes! {
    "/tasks": get tasks::list, post tasks::create;
    "/tasks/batch": post tasks::create_batch;
    "/tasks/dispatch": post tasks::dispatch_next;
    "/tasks/{id}": get tasks::show, patch tasks::update, delete tasks::delete;
    "/tasks/{id}/dispatch": post tasks::dispatch;
    "/tasks/{id}/cancel": post tasks::cancel;
    "/tasks/{id}/retry": post tasks::retry;
    "/tasks/{id}/history": get tasks::history;
    "/tasks/{id}/metadata": get tasks::metadata, patch tasks::patch_metadata;
    "/tasks/{id}/transcript": get tasks::transcript;
    "/runs": get runs::list, post runs::create;
    "/runs/{id}": get runs::show;
    "/runs/{id}/tasks": get runs::tasks;
    "/runs/{id}/events": get runs::events;
    "/runs/{id}/cancel": post runs::cancel;
    "/runs/{id}/pause": post runs::pause;
    "/runs/{id}/resume": post runs::resume;
    "/runs/{id}/retry": post runs::retry;
    "/events": post events::send;
    "/dlq": get dead_letters::list, delete dead_letters::purge;
    "/dlq/size": get dead_letters::size;
    "/dlq/replay": post dead_letters::replay;
    "/schedules": get schedules::list, post schedules::create;
    "/schedules/{id}": get schedules::show, put schedules::replace, patch schedules::update, delete schedules::delete;
    "/schedules/{id}/trigger": post schedules::trigger;
    "/deliveries": get deliveries::list;
    "/deliveries/{id}": get deliveries::show;
    "/deliveries/{id}/redeliver": post deliveries::redeliver;
    "/agents": get agents::list;
}

/// Adds all routes but the probes.
pub(crate) fn mount(app: &Data<App>, config: &mut ServiceConfig) {
    config.app_data(app.clone());
    openapi::mount(config);
    mount_api(app, config);
}

/// What a JSON body may be at a path.
fn json_limits(path: &str, settings: &Settings) -> JsonLimits {
    let bytes = if path == "/tasks/batch" {
        settings.args.max_batch_body_bytes
    } else {
        settings.args.max_body_bytes
    };
    JsonLimits {
        body_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        depth: domain::limits::JSON_DEPTH,
        deadlines: settings.deadlines,
    }
}
