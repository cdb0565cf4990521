//! What a delivery says happened. Only what the orchestrator decides by is read; the rest stays in the stored payload.
//!
//! GitHub adds fields, actions and events at any time, and old Enterprise servers lack some. So a part that is absent or not
//! of the shape we know is `None`, and only a body that is no JSON object is an error.

use std::borrow::Cow;

use serde::Deserialize;
use url::form_urlencoded;

use crate::{
    lenient::{self, LINE_CHARS, bounded},
    subject::{Parts, Subject},
};

/// What happened, to what, by whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The event's name, as in its header.
    pub event: String,
    /// What of it: `opened`, `completed`, … Some events have none.
    pub action: Option<String>,
    pub repository: Option<Repository>,
    /// Who did it.
    pub sender: Option<Account>,
    /// The App's installation, if an App receives it.
    pub installation_id: Option<i64>,
    pub subject: Subject,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Repository {
    /// `owner/name`.
    #[serde(deserialize_with = "lenient::needed_line")]
    pub full_name: String,
    #[serde(default, deserialize_with = "lenient::field")]
    pub id: Option<i64>,
    #[serde(default, deserialize_with = "lenient::line")]
    pub clone_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::line")]
    pub default_branch: Option<String>,
    #[serde(default, deserialize_with = "lenient::field")]
    pub private: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    #[serde(deserialize_with = "lenient::needed_line")]
    pub login: String,
    #[serde(default, deserialize_with = "lenient::field")]
    pub id: Option<i64>,
    /// `User`, `Bot` or `Organization`.
    #[serde(default, rename = "type", deserialize_with = "lenient::line")]
    pub kind: Option<String>,
}

impl Account {
    /// An App's own account, as `name[bot]`.
    pub fn is_bot(&self) -> bool {
        self.kind.as_deref() == Some("Bot") || self.login.ends_with("[bot]")
    }
}

/// A body that is no payload.
#[derive(Debug, thiserror::Error)]
pub enum MalformedPayload {
    #[error("the body is not a JSON object")]
    NotAnObject(#[source] serde_json::Error),
    #[error("the form has no field `payload`")]
    NoPayloadField,
    #[error("the content type is neither application/json nor application/x-www-form-urlencoded")]
    ContentType,
}

/// The JSON of a body: GitHub sends it plain, or as the field `payload` of a form, as the webhook's settings say.
///
/// # Errors
/// [`MalformedPayload`] for another content type, or a form without that field.
pub fn payload_json<'b>(
    content_type: Option<&str>,
    body: &'b [u8],
) -> Result<Cow<'b, [u8]>, MalformedPayload> {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(Cow::Borrowed(body));
    }
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(MalformedPayload::ContentType);
    }
    form_urlencoded::parse(body)
        .find_map(|(name, value)| {
            (name == "payload").then(|| Cow::Owned(value.into_owned().into_bytes()))
        })
        .ok_or(MalformedPayload::NoPayloadField)
}

#[derive(Deserialize)]
struct WithId {
    id: i64,
}

/// Reads the payload of `event`.
///
/// # Errors
/// [`MalformedPayload::NotAnObject`].
pub fn parse(event: &str, json: &[u8]) -> Result<Envelope, MalformedPayload> {
    let parts: Parts<'_> = object(json)?;
    let action: Option<String> = lenient::read(parts.action);
    Ok(Envelope {
        event: bounded(event, LINE_CHARS).to_owned(),
        action: action.map(|action| bounded(&action, LINE_CHARS).to_owned()),
        repository: lenient::read(parts.repository),
        sender: lenient::read(parts.sender),
        installation_id: lenient::read::<WithId>(parts.installation).map(|it| it.id),
        subject: Subject::read(event, &parts, json),
    })
}

/// serde reads a struct from an array as well; a payload is an object.
fn object<'j, T: Deserialize<'j>>(json: &'j [u8]) -> Result<T, MalformedPayload> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        let not_an_object =
            <serde_json::Error as serde::de::Error>::custom("it does not start with `{`");
        return Err(MalformedPayload::NotAnObject(not_an_object));
    }
    serde_json::from_slice(json).map_err(MalformedPayload::NotAnObject)
}
