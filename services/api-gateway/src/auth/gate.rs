//! The middleware before every route of the API: nobody passes whose key is not known or who asks too often.

use actix_web::{
    Error, HttpMessage,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};
use chrono::Utc;
use secrecy::ExposeSecret;
use web::bearer::bearer;

use super::Caller;
use crate::{app::App, error::ApiError, keys, settings::Auth};

/// Lets a request through with its [`Caller`], or answers it.
pub(crate) async fn gate(
    app: Data<App>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    match caller(&app, &request).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.call(request).await
        }
        Err(error) => Ok(request.error_response(error)),
    }
}

async fn caller(app: &App, request: &ServiceRequest) -> Result<Caller, ApiError> {
    let peer = request.peer_addr().map(|address| address.ip());
    if app.settings.auth == Auth::Off {
        app.rate_limit.check_peer(peer)?;
        return Ok(Caller::Anonymous);
    }
    let token = match bearer(request.headers()) {
        Ok(Some(token)) => token,
        Ok(None) => {
            app.rate_limit.check_peer(peer)?;
            return Err(ApiError::MissingKey);
        }
        Err(problem) => {
            app.rate_limit.check_peer(peer)?;
            return Err(problem.into());
        }
    };
    let hash = keys::hash(token.expose_secret());
    let known = match app.keys.known(&hash) {
        Some(known) => known,
        None if !keys::is_well_formed(token.expose_secret()) => None,
        None => {
            // Each unknown key costs a look into the store, so whoever tries many is slowed down.
            app.rate_limit.check_peer(peer)?;
            app.keys.look_up(hash).await?
        }
    };
    let key = known.filter(|key| key.is_valid(Utc::now())).ok_or(ApiError::InvalidKey)?;
    app.rate_limit.check_key(key.id)?;
    Ok(Caller::Key(key))
}
