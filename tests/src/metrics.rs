//! Metrics as a service tells them.

/// One scrape, in the text format of Prometheus.
#[derive(Clone, Debug)]
pub struct Metrics(String);

impl Metrics {
    /// Asks a service.
    ///
    /// # Panics
    /// If it does not answer.
    pub async fn of(url: &str) -> Self {
        let answer = crate::api::client().get(format!("{url}/metrics")).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let text = answer.expect("a service tells its metrics").text().await;
        Self(text.expect("metrics are text"))
    }

    /// The sum of all series of a metric that have these labels; 0 if there is none.
    ///
    /// # Panics
    /// If a series has no number.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels: Vec<_> =
            labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        let series = self.0.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (has, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once('}')?,
                None => ("", rest.strip_prefix(' ')?),
            };
            labels.iter().all(|it| has.contains(it)).then(|| value.trim().parse::<f64>())
        });
        series.map(|it| it.expect("a series ends with a number")).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_apart_by_name_and_labels() {
        let text = "# HELP a_total x\na_total{role=\"b\",kind=\"c\"} 2\na_total{role=\"d\"} 3\na_total_more 7\nplain 1.5\n";
        let metrics = Metrics(text.to_owned());
        let check = |name: &str, labels: &[(&str, &str)], expected: f64| {
            let sum = metrics.sum(name, labels);
            assert!((sum - expected).abs() < f64::EPSILON, "{name} {labels:?}: {sum}");
        };
        check("a_total", &[], 5.0);
        check("a_total", &[("role", "b")], 2.0);
        check("a_total", &[("role", "b"), ("kind", "x")], 0.0);
        check("plain", &[], 1.5);
        check("none", &[], 0.0);
    }
}
