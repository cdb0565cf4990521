//! The tables, as the migrations make them.

diesel::table! {
    use diesel::sql_types::{BigInt, Nullable, SmallInt, Text};
    use super::super::dialect::columns::{Id, Js, Ts};

    runs (id) {
        id -> Id,
        workflow -> Text,
        status -> Text,
        goal -> Text,
        repository -> Nullable<Text>,
        base_ref -> Nullable<Text>,
        base_commit -> Nullable<Text>,
        branch -> Nullable<Text>,
        head_commit -> Nullable<Text>,
        source -> Js,
        budget -> Js,
        priority -> SmallInt,
        metadata -> Js,
        outcome -> Nullable<Js>,
        requests -> BigInt,
        tokens_in -> BigInt,
        tokens_out -> BigInt,
        model_ms -> BigInt,
        deadline_at -> Nullable<Ts>,
        created_at -> Ts,
        started_at -> Nullable<Ts>,
        finished_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Bool, Integer, Nullable, SmallInt, Text};
    use super::super::dialect::columns::{Id, Js, Ts};

    tasks (id) {
        id -> Id,
        run_id -> Id,
        role -> Text,
        kind -> Text,
        status -> Text,
        description -> Text,
        payload -> Js,
        metadata -> Js,
        priority -> SmallInt,
        dispatched -> Bool,
        attempt -> Integer,
        max_attempts -> Nullable<Integer>,
        fence -> BigInt,
        result -> Nullable<Js>,
        error_code -> Nullable<Text>,
        error_message -> Nullable<Text>,
        cancel_reason -> Nullable<Text>,
        requests -> BigInt,
        tokens_in -> BigInt,
        tokens_out -> BigInt,
        model_ms -> BigInt,
        worker_id -> Nullable<Id>,
        leased_until -> Nullable<Ts>,
        run_at -> Nullable<Ts>,
        announced_at -> Nullable<Ts>,
        created_at -> Ts,
        queued_at -> Nullable<Ts>,
        started_at -> Nullable<Ts>,
        finished_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use super::super::dialect::columns::Id;

    dependencies (task_id, depends_on) {
        task_id -> Id,
        depends_on -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use super::super::dialect::columns::{Id, Js, Ts};

    events (id) {
        id -> BigInt,
        run_id -> Id,
        task_id -> Nullable<Id>,
        at -> Ts,
        kind -> Text,
        attempt -> Nullable<Integer>,
        data -> Js,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Text};
    use super::super::dialect::columns::{Id, Ts};

    outbox (id) {
        id -> BigInt,
        task_id -> Id,
        run_id -> Id,
        role -> Text,
        attempt -> Integer,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{Integer, Text};
    use super::super::dialect::columns::{Id, Ts};

    dead_letters (task_id) {
        task_id -> Id,
        run_id -> Id,
        role -> Text,
        reason -> Text,
        code -> Text,
        message -> Text,
        attempts -> Integer,
        at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use super::super::dialect::columns::{Id, Ts};

    turns (task_id, fence, seq) {
        task_id -> Id,
        fence -> BigInt,
        seq -> Integer,
        attempt -> Integer,
        kind -> Text,
        speaker -> Text,
        content -> Text,
        model -> Nullable<Text>,
        tokens_in -> Nullable<BigInt>,
        tokens_out -> Nullable<BigInt>,
        latency_ms -> Nullable<BigInt>,
        at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{BigInt, Integer, Nullable, Text};
    use super::super::dialect::columns::{Bytes, Id, Ts};

    deliveries (id) {
        id -> Text,
        event -> Text,
        action -> Nullable<Text>,
        repository -> Nullable<Text>,
        sender -> Nullable<Text>,
        installation_id -> Nullable<BigInt>,
        status -> Text,
        reason -> Nullable<Text>,
        run_id -> Nullable<Id>,
        payload -> Bytes,
        size -> BigInt,
        redeliveries -> Integer,
        received_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{Bool, Nullable, Text};
    use super::super::dialect::columns::{Id, Js, Ts};

    schedules (id) {
        id -> Id,
        name -> Text,
        cadence -> Js,
        catch_up -> Text,
        target -> Js,
        repository -> Nullable<Text>,
        base_ref -> Nullable<Text>,
        enabled -> Bool,
        next_at -> Nullable<Ts>,
        last_slot -> Nullable<Ts>,
        created_at -> Ts,
        updated_at -> Ts,
    }
}

diesel::table! {
    use super::super::dialect::columns::{Id, Ts};

    firings (schedule_id, slot) {
        schedule_id -> Id,
        slot -> Ts,
        run_id -> Id,
        fired_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::Text;
    use super::super::dialect::columns::{Bytes, Js, Ts};

    idempotency (principal, key) {
        principal -> Text,
        key -> Text,
        fingerprint -> Bytes,
        response -> Js,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::{Nullable, Text};
    use super::super::dialect::columns::{Bytes, Id, Ts};

    api_keys (id) {
        id -> Id,
        name -> Text,
        hash -> Bytes,
        scopes -> Text,
        created_at -> Ts,
        expires_at -> Nullable<Ts>,
        revoked_at -> Nullable<Ts>,
        last_used_at -> Nullable<Ts>,
    }
}

diesel::joinable!(tasks -> runs (run_id));
diesel::allow_tables_to_appear_in_same_query!(runs, tasks, dependencies, dead_letters);
