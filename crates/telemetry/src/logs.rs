//! Logs: one event a line, to stderr, with the ids of the spans around it.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use anyhow::Context as _;
use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::{
        MakeWriter,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::{Context, SubscriberExt},
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};

use crate::{LogFormat, TelemetryArgs};

/// Libraries that tell at `info` what only their authors want to know; a filter that names them overrules this.
const QUIET: &str = "actix_server=warn,actix_http=warn,actix_web=warn,lapin=warn,tokio_postgres=warn,hyper_util=warn";

/// Keys that every line has; a field of the same name is written as `field.<name>`.
const RESERVED: [&str; 5] = ["timestamp", "level", "service", "message", "target"];

/// For clap: a filter that can be read, as it was given.
pub(crate) fn parse_filter(text: &str) -> Result<String, String> {
    EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|e| {
        format!("{e}; use a level (error, warn, info, debug, trace) or `info,module=debug`")
    })
}

/// Makes this process log. The first call wins: a later one, in the same process, changes nothing.
pub(crate) fn install(args: &TelemetryArgs, service: &'static str) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(format!("{QUIET},{}", args.log))
        .with_context(|| format!("read the log filter `{}`", args.log))?;
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match args.log_format {
        LogFormat::Json => Box::new(JsonLines { service, writer: io::stderr }),
        LogFormat::Text => {
            let text = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
            // On a terminal the layer decides about colours by itself and so obeys NO_COLOR.
            if io::stderr().is_terminal() { text.boxed() } else { text.with_ansi(false).boxed() }
        }
    };
    let _installed_before =
        tracing_subscriber::registry().with(layer.with_filter(filter)).try_init();
    Ok(())
}

/// Writes each event as one JSON object: time, level, service, message, target, then the fields of the spans around it,
/// outermost first, and its own, each under its (dotted) name. The innermost value of a name is what is written.
struct JsonLines<W> {
    service: &'static str,
    writer: W,
}

impl<S, W> Layer<S> for JsonLines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.0.extend(outer.0.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        event.record(&mut fields);
        let line = line(self.service, event, fields.0);
        // Nowhere is left to tell that stderr is gone.
        let _ = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
    }
}

fn line(service: &str, event: &Event<'_>, mut fields: Map<String, Value>) -> String {
    let mut time = String::with_capacity(32);
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    let metadata = event.metadata();
    let message = fields.remove("message").unwrap_or_default();
    let head: [Value; 5] = [
        time.into(),
        metadata.level().as_str().into(),
        service.into(),
        if message.is_null() { metadata.name().into() } else { message },
        metadata.target().into(),
    ];
    let mut line = String::with_capacity(256);
    for (name, value) in RESERVED.iter().zip(&head) {
        push(&mut line, name, value);
    }
    for (name, value) in &fields {
        if RESERVED.contains(&name.as_str()) {
            push(&mut line, &format!("field.{name}"), value);
        } else {
            push(&mut line, name, value);
        }
    }
    line.push_str("}\n");
    line
}

fn push(line: &mut String, name: &str, value: &Value) {
    use fmt::Write as _;
    let opening = if line.is_empty() { '{' } else { ',' };
    let _ = write!(line, "{opening}{}:{value}", Value::from(name));
}

/// The fields of a span or an event.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `work` logs, without time and target.
    fn lines_of(work: impl FnOnce()) -> Vec<Value> {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let layer = JsonLines { service: "tester", writer: move || writer.clone() };
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| {
                let mut value: Map<String, Value> = serde_json::from_str(line).unwrap();
                assert!(
                    value.remove("timestamp").unwrap().as_str().unwrap().ends_with('Z'),
                    "{line}"
                );
                value.remove("target").unwrap();
                Value::Object(value)
            })
            .collect()
    }

    #[test]
    fn a_line_has_the_ids_of_every_span_around_it() {
        let lines = lines_of(|| {
            let _run = tracing::info_span!("run", run.id = "r1", task.id = "outer").entered();
            let _task = tracing::info_span!("task", task.id = "t1", attempt = 2).entered();
            tracing::warn!(queue.wait_ms = 12, "claimed \"late\"\nagain");
        });
        assert_eq!(
            lines,
            [json!({
                "level": "WARN", "service": "tester", "message": "claimed \"late\"\nagain",
                "run.id": "r1", "task.id": "t1", "attempt": 2, "queue.wait_ms": 12,
            })]
        );
    }

    #[test]
    fn what_a_span_learns_later_is_in_the_lines_after() {
        let lines = lines_of(|| {
            let span = tracing::info_span!("request", status = tracing::field::Empty);
            let _entered = span.enter();
            tracing::info!("before");
            span.record("status", 503);
            tracing::info!(level = "x", "after");
        });
        assert_eq!(
            lines,
            [
                json!({"level": "INFO", "service": "tester", "message": "before"}),
                json!({"level": "INFO", "service": "tester", "message": "after", "status": 503, "field.level": "x"}),
            ]
        );
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_what_it_may_be() {
        assert_eq!(parse_filter("info,store=debug"), Ok("info,store=debug".to_owned()));
        let refused = parse_filter("store=loud").unwrap_err();
        assert!(refused.contains("error, warn, info, debug, trace"), "{refused}");
    }
}
