//! GitHub, as far as we speak with it: webhook deliveries. Knows nothing of runs or tasks.
//!
//! A delivery is read in this order, and nothing of it is believed before the second step:
//! 1. [`headers::DeliveryHeaders`]: which event, which delivery.
//! 2. [`signature::WebhookSecrets::verify`]: whether GitHub sent these bytes.
//! 3. [`webhook::payload_json`] and [`webhook::parse`]: what happened, as an [`webhook::Envelope`].

pub mod headers;
pub mod signature;
pub mod webhook;

mod lenient;
mod subject;

pub use crate::{
    headers::{DeliveryHeaders, HeaderError, event_label},
    signature::{SecretsError, Signature, SignatureError, WebhookSecrets},
    subject::{
        Branch, Check, CheckKind, Comment, DeploymentStatus, Installation, Issue, Ping,
        PullRequest, Push, Review, Subject,
    },
    webhook::{Account, Envelope, MalformedPayload, Repository, parse, payload_json},
};
