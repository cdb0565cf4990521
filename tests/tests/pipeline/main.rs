//! From a signed webhook or an API call to a finished run, with the programs as processes of their own.

mod scene;

mod cancelling;
mod crashing;
mod growing;
mod growing_with_ollama;
mod stopping;
