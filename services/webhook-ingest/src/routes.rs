//! Every route of this service, beside its probes.

use ::web::{Problem, problem};
use actix_web::{
    HttpResponse,
    web::{self, Data, ServiceConfig},
};

use crate::{App, receive::receive};

/// Where GitHub sends its deliveries.
const PATH: &str = "/webhooks/github";

/// Adds the path that takes deliveries.
pub(crate) fn add(config: &mut ServiceConfig, app: &Data<App>) {
    config.app_data(app.clone());
    config.service(
        web::resource(PATH).route(web::post().to(receive)).default_service(problem::only("POST")),
    );
}

/// Adds the path where no secret is set: it takes nothing and says how to change that. For `orch dev`.
pub fn add_without_secret(config: &mut ServiceConfig) {
    config.service(web::resource(PATH).default_service(web::to(no_secret)));
}

async fn no_secret() -> Result<HttpResponse, Problem> {
    Err(Problem::not_found(
        "webhooks_off",
        "webhooks are not taken here: set GITHUB_WEBHOOK_SECRET to the secret of the GitHub webhook and start again",
    ))
}
