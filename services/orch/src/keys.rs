//! `orch keys`: API keys, made and ended in the store itself, since the first one cannot be asked for with a key.

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, value_parser};
use domain::{
    access::{ApiKey, Scope},
    ids::ApiKeyId,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::{DatabaseArgs, Store, StoreKind, keys::NewApiKey};
use uuid::Uuid;

use crate::{
    failure::{Exit, Failure, Outcome},
    names,
    output::Output,
    view::{ago, plain, table, text},
};

#[derive(Clone, Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum KeysCommand {
    /// Make a key and print its secret, this once.
    Create(CreateArgs),
    /// List keys; their secrets are stored nowhere.
    List {
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// End a key. Services notice within seconds.
    Revoke {
        #[arg(value_name = "KEY")]
        id: Uuid,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

#[derive(Clone, Debug, Args)]
struct CreateArgs {
    /// What it is for, so that one knows later what ends with it.
    #[arg(long)]
    name: String,
    /// What it allows; several, with commas or one by one. admin includes all.
    #[arg(long = "scope", value_delimiter = ',', value_parser = names::scopes(), required = true, value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Days after which it ends [default: never].
    #[arg(long, value_parser = value_parser!(u16).range(1..=36_500), value_name = "DAYS")]
    expires_days: Option<u16>,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(crate) async fn command(args: KeysArgs, output: &Output) -> Outcome {
    match args.command {
        KeysCommand::Create(args) => create(args, output).await,
        KeysCommand::List { database } => list(&database, output).await,
        KeysCommand::Revoke { id, database } => revoke(id, &database, output).await,
    }
}

async fn create(args: CreateArgs, output: &Output) -> Outcome {
    let name = args.name.trim();
    if name.is_empty() || name.chars().count() > 200 || name.chars().any(char::is_control) {
        return Err(Failure::usage("a key's name is one line of 1 to 200 characters"));
    }
    let mut scopes: Vec<Scope> = Vec::new();
    for scope in args.scopes.iter().filter_map(|it| it.parse().ok()) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    let store = open(&args.database).await?;
    let now = store.database_time().await?;
    let (secret, hash) = api_gateway::keys::generate();
    let expires_at = args.expires_days.map(|days| now + TimeDelta::days(days.into()));
    let key =
        store.create_api_key(NewApiKey { name: name.to_owned(), scopes, expires_at, hash }).await?;
    let secret = secret.expose_secret();
    if output.is_json() {
        let mut line = shown(&key, now);
        line["secret"] = secret.into();
        output.line(line)?;
    } else {
        output.note(format_args!(
            "Key {} ({}). Its secret is shown this once:",
            key.id,
            plain(&key.name)
        ));
        output.line(secret)?;
    }
    Ok(Exit::Completed)
}

async fn list(database: &DatabaseArgs, output: &Output) -> Outcome {
    let store = open(database).await?;
    let now = store.database_time().await?;
    let keys: Vec<Value> = store.list_api_keys().await?.iter().map(|key| shown(key, now)).collect();
    let row = |key: &Value| {
        vec![
            text(key, "/id"),
            text(key, "/name"),
            text(key, "/scopes"),
            text(key, "/status"),
            ago(key, "/createdAt", now),
            ago(key, "/expiresAt", now),
            ago(key, "/lastUsedAt", now),
        ]
    };
    let headers = ["id", "name", "scopes", "status", "created", "expires", "last used"];
    output.result(&json!({ "items": keys }), || {
        table(&headers, keys.iter().map(row).collect(), "No keys. `orch keys create` makes one.")
    })?;
    Ok(Exit::Completed)
}

async fn revoke(id: Uuid, database: &DatabaseArgs, output: &Output) -> Outcome {
    let store = open(database).await?;
    let Some(key) = store.revoke_api_key(ApiKeyId::from_uuid(id)).await? else {
        return Err(Failure::new(Exit::Failed, format!("there is no key {id}"))
            .advising("`orch keys list` lists them."));
    };
    let now = store.database_time().await?;
    output.result(&shown(&key, now), || format!("Key {id} ({}) is revoked.", plain(&key.name)))?;
    Ok(Exit::Completed)
}

/// The store, with the schema of this version. The embedded one, which is this process's alone, is brought up to it.
async fn open(database: &DatabaseArgs) -> Result<Store, Failure> {
    let store = Store::connect(database).await?;
    match store.kind() {
        StoreKind::Sqlite => drop(store.migrate().await?),
        StoreKind::Postgres => store.schema_is_current().await?,
    }
    Ok(store)
}

fn shown(key: &ApiKey, now: DateTime<Utc>) -> Value {
    let status = match key.revoked_at {
        Some(_) => "revoked",
        None if key.is_valid(now) => "valid",
        None => "expired",
    };
    let mut value = json!(key);
    value["status"] = status.into();
    value
}
