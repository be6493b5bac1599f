use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, MetricEncoder},
    metrics::{MetricType, exemplar::Exemplar},
};

/// Names and values of labels; an empty list means a metric of one series.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// No metric here has examples.
const NONE: Option<&Exemplar<[(&str, &str); 0], f64>> = None;

/// Writes metrics that are found out when they are asked for.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

impl Page<'_> {
    /// A number that goes up and down.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: impl EncodeGaugeValue) -> fmt::Result {
        self.gauges(name, help, &[(&[], value)])
    }

    /// Numbers that go up and down.
    pub(super) fn gauges<N: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        series: &[(Labels<'_>, N)],
    ) -> fmt::Result {
        self.series(name, help, MetricType::Gauge, series, |encoder, value| encoder.encode_gauge(value))
    }

    /// A number that only grows; `_total` is put behind its name.
    pub(super) fn counter(&mut self, name: &str, help: &str, value: impl EncodeCounterValue) -> fmt::Result {
        self.counters(name, help, &[(&[], value)])
    }

    /// Numbers that only grow.
    pub(super) fn counters<N: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        series: &[(Labels<'_>, N)],
    ) -> fmt::Result {
        self.series(name, help, MetricType::Counter, series, |encoder, value| encoder.encode_counter(value, NONE))
    }

    /// Sizes that were counted by upper bound.
    pub(super) fn histogram(&mut self, name: &str, help: &str, sum: u64, buckets: &[(u64, u64)]) -> fmt::Result {
        let mut encoder = self.0.encode_descriptor(name, &format!("{help}."), None, MetricType::Histogram)?;
        let count = buckets.iter().map(|(_, count)| count).sum();
        let buckets: Vec<(f64, u64)> = buckets.iter().map(|(bound, count)| (as_float(*bound), *count)).collect();
        encoder.encode_histogram::<[(&str, &str); 0]>(as_float(sum), count, &buckets, None)
    }

    fn series<N>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        series: &[(Labels<'_>, N)],
        write: impl Fn(&mut MetricEncoder<'_>, &N) -> fmt::Result,
    ) -> fmt::Result {
        // The registry ends its own texts like this.
        let mut encoder = self.0.encode_descriptor(name, &format!("{help}."), None, kind)?;
        for (labels, value) in series {
            if labels.is_empty() {
                write(&mut encoder, value)?;
            } else {
                write(&mut encoder.encode_family(labels)?, value)?;
            }
        }
        Ok(())
    }
}

/// The nearest float; sums of this size lose nothing that matters.
#[expect(clippy::cast_precision_loss, reason = "what is lost does not matter in a sum")]
fn as_float(number: u64) -> f64 {
    number as f64
}
