//! API keys.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{
    access::{ApiKey, Scope},
    ids::ApiKeyId,
};

use super::{
    dialect::{self, Conn},
    rows::named,
    schema::api_keys,
};
use crate::{
    Result,
    error::During,
    key::{Key, keys},
    keys::NewApiKey,
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
struct KeyRow {
    id: Key,
    name: String,
    hash: Vec<u8>,
    scopes: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    fn into_key(self) -> Result<ApiKey> {
        let scopes = self.scopes.split_whitespace().map(|name| named("api_keys.scopes", name));
        Ok(ApiKey {
            id: self.id.into(),
            name: self.name,
            scopes: scopes.collect::<Result<_>>()?,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
        })
    }
}

pub(crate) async fn create(conn: &mut Conn, key: NewApiKey) -> Result<ApiKey> {
    let scopes: Vec<_> = key.scopes.iter().map(|scope: &Scope| scope.name()).collect();
    let row = KeyRow {
        id: ApiKeyId::new().into(),
        name: key.name,
        hash: key.hash,
        scopes: scopes.join(" "),
        created_at: dialect::now(conn).await?,
        expires_at: key.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    diesel::insert_into(api_keys::table)
        .values(&row)
        .execute(conn)
        .await
        .during("store an API key")?;
    row.into_key()
}

pub(crate) async fn find(conn: &mut Conn, hash: Vec<u8>) -> Result<Option<ApiKey>> {
    let row: Option<KeyRow> = api_keys::table
        .filter(api_keys::hash.eq(hash))
        .select(KeyRow::as_select())
        .first(conn)
        .await
        .optional()
        .during("find an API key")?;
    row.map(KeyRow::into_key).transpose()
}

pub(crate) async fn list(conn: &mut Conn) -> Result<Vec<ApiKey>> {
    let rows: Vec<KeyRow> = api_keys::table
        .order(api_keys::created_at)
        .select(KeyRow::as_select())
        .load(conn)
        .await
        .during("list API keys")?;
    rows.into_iter().map(KeyRow::into_key).collect()
}

pub(crate) async fn revoke(conn: &mut Conn, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let now = dialect::now(conn).await?;
    diesel::update(api_keys::table.find(Key::from(id)))
        .filter(api_keys::revoked_at.is_null())
        .set(api_keys::revoked_at.eq(now))
        .execute(conn)
        .await
        .during("revoke an API key")?;
    let row: Option<KeyRow> = api_keys::table
        .find(Key::from(id))
        .select(KeyRow::as_select())
        .first(conn)
        .await
        .optional()
        .during("find an API key")?;
    row.map(KeyRow::into_key).transpose()
}

pub(crate) async fn touch(conn: &mut Conn, ids: Vec<ApiKeyId>) -> Result<()> {
    let now = dialect::now(conn).await?;
    diesel::update(api_keys::table.filter(api_keys::id.eq_any(keys(&ids))))
        .set(api_keys::last_used_at.eq(now))
        .execute(conn)
        .await
        .during("note the use of API keys")
        .map(drop)
}
