//! Who asks, and what they may do.
//!
//! ```text
//!  request ─▶ gate: key known? rate kept? ─▶ Caller ─▶ handler's argument (Reader, Writer, Admin): scope held?
//! ```
//!
//! A handler says by the type of its argument which scope it needs. Nothing else yields such a value, so it cannot be
//! forgotten: a route outside the gate has no caller, and answers 500.

mod gate;
mod key_cache;
mod rate_limit;

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload};
use chrono::Utc;
use domain::access::{ApiKey, Scope};

pub(crate) use self::{gate::gate, key_cache::KeyCache, rate_limit::RateLimit};
use crate::error::ApiError;

/// Who sent a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Authentication is off: whoever reaches the port may do everything.
    Anonymous,
    Key(Arc<ApiKey>),
}

impl Caller {
    /// The name under which idempotency keys are kept apart.
    pub(crate) fn principal(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::Key(key) => key.id.to_string(),
        }
    }

    fn has(&self, scope: Scope) -> bool {
        match self {
            Self::Anonymous => true,
            Self::Key(key) => key.allows(scope, Utc::now()),
        }
    }

    fn of(request: &HttpRequest, scope: Scope) -> Result<Self, ApiError> {
        let known = request.extensions().get::<Self>().cloned();
        let caller = known.ok_or(ApiError::Bug("a route is not behind the gate"))?;
        if caller.has(scope) { Ok(caller) } else { Err(ApiError::InsufficientScope(scope)) }
    }
}

macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident $(($caller:ident))?: $scope:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub(crate) struct $name $((pub(crate) $caller))?;

        impl FromRequest for $name {
            type Error = ApiError;
            type Future = Ready<Result<Self, ApiError>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(Caller::of(request, Scope::$scope).map(|_caller| callers!(@ $name _caller $($caller)?)))
            }
        }
    )*};
    (@ $name:ident $value:ident) => { $name };
    (@ $name:ident $value:ident $caller:ident) => { $name($value) };
}

callers! {
    /// A caller who may look.
    Reader: Read;
    /// A caller who may create and change; what it creates is kept apart from what others create.
    Writer(Caller): Write;
    /// A caller who may destroy what others look at.
    Admin: Admin;
}
