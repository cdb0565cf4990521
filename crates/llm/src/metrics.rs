//! What this crate counts.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

use crate::{Error, Reply};

const REQUESTS: &str = "orchestrator_llm_requests_total";
const SECONDS: &str = "orchestrator_llm_request_seconds";
const TOKENS: &str = "orchestrator_llm_tokens_total";

/// Says what each metric means. Call it once, after the recorder is installed.
pub fn describe() {
    describe_counter!(
        REQUESTS,
        "Requests to model servers, by model and by result: ok or the kind of error"
    );
    describe_histogram!(
        SECONDS,
        Unit::Seconds,
        "Time from a request to the end of its answer or error"
    );
    describe_counter!(TOKENS, "Tokens, by direction: in is what models read, out what they wrote");
}

/// Counts one request.
pub(crate) fn record(model: &str, result: &Result<Reply, Error>, took: Duration) {
    let name = match result {
        Ok(_) => "ok",
        Err(error) => error.name(),
    };
    counter!(REQUESTS, "model" => model.to_owned(), "result" => name).increment(1);
    histogram!(SECONDS, "model" => model.to_owned()).record(took);
    if let Ok(reply) = result {
        counter!(TOKENS, "direction" => "in").increment(reply.usage.tokens_in);
        counter!(TOKENS, "direction" => "out").increment(reply.usage.tokens_out);
    }
}
