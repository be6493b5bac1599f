//! Collecting samples and printing what they amount to.

use crate::args::Args;
use std::collections::BTreeMap;
use std::time::Duration;

pub struct Sample {
    pub status: u16,
    pub latency: Duration,
    pub commit: Option<Duration>,
    pub bytes: u64,
    /// Start of the body of an answer outside 2xx.
    pub excerpt: Option<String>,
}

#[derive(Default)]
pub struct Totals {
    latencies: Vec<Duration>,
    commits: Vec<Duration>,
    statuses: BTreeMap<u16, u64>,
    errors: BTreeMap<String, u64>,
    bytes: u64,
    /// Answers that arrived before the deadline: what the rate is made of.
    in_time: u64,
    pub reconnects: u64,
    first_failure: Option<String>,
}

impl Totals {
    pub fn add(&mut self, sample: Sample, in_time: bool) {
        self.latencies.push(sample.latency);
        self.commits.extend(sample.commit);
        *self.statuses.entry(sample.status).or_default() += 1;
        self.bytes += sample.bytes;
        self.in_time += u64::from(in_time);
        if self.first_failure.is_none() {
            self.first_failure = sample.excerpt;
        }
    }

    pub fn add_error(&mut self, error: String) {
        *self.errors.entry(error).or_default() += 1;
    }

    pub fn merge(&mut self, other: Totals) {
        self.latencies.extend(other.latencies);
        self.commits.extend(other.commits);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        self.bytes += other.bytes;
        self.in_time += other.in_time;
        self.reconnects += other.reconnects;
        self.first_failure = self.first_failure.take().or(other.first_failure);
    }

    fn non_2xx(&self) -> u64 {
        self.statuses.iter().filter(|(status, _)| !(200..300).contains(*status)).map(|(_, count)| count).sum()
    }
}

/// The value below which `percent` of the sorted samples lie (nearest rank).
fn percentile(sorted: &[Duration], percent: f64) -> Duration {
    if sorted.is_empty() {
        return Duration::ZERO;
    }
    let rank = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn summary(samples: &mut [Duration]) -> [(&'static str, f64); 6] {
    samples.sort_unstable();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let mean =
        if samples.is_empty() { 0.0 } else { samples.iter().map(|d| ms(*d)).sum::<f64>() / samples.len() as f64 };
    [
        ("p50", ms(percentile(samples, 50.0))),
        ("p90", ms(percentile(samples, 90.0))),
        ("p99", ms(percentile(samples, 99.0))),
        ("p99.9", ms(percentile(samples, 99.9))),
        ("max", ms(samples.last().copied().unwrap_or_default())),
        ("mean", mean),
    ]
}

pub fn print(args: &Args, measured: Duration, mut totals: Totals, handshakes: &mut [Duration]) {
    let elapsed = measured.as_secs_f64();
    let non_2xx = totals.non_2xx();
    let errors: u64 = totals.errors.values().sum();
    let rate = totals.in_time as f64 / elapsed.max(1e-9);
    let latency = summary(&mut totals.latencies);
    let commit = (!totals.commits.is_empty()).then(|| summary(&mut totals.commits));
    let handshake = summary(handshakes);

    if args.json {
        let object = |values: &[(&str, f64)]| {
            let fields: Vec<String> = values.iter().map(|(name, value)| format!("\"{name}\":{value:.4}")).collect();
            format!("{{{}}}", fields.join(","))
        };
        let statuses: Vec<String> =
            totals.statuses.iter().map(|(status, count)| format!("\"{status}\":{count}")).collect();
        println!(
            "{{\"method\":{},\"url\":{},\"connections\":{},\"seconds\":{elapsed:.3},\"requests\":{},\
             \"rps\":{rate:.1},\"latency_ms\":{},\"commit_ms\":{},\"handshake_ms\":{},\
             \"statuses\":{{{}}},\"non_2xx\":{non_2xx},\"errors\":{errors},\"reconnects\":{},\
             \"body_bytes\":{},\"first_failure\":{}}}",
            quote(&args.method),
            quote(&args.url),
            args.connections,
            totals.latencies.len(),
            object(&latency),
            commit.map_or("null".to_owned(), |c| object(&c)),
            object(&handshake),
            statuses.join(","),
            totals.reconnects,
            totals.bytes,
            totals.first_failure.as_deref().map_or("null".to_owned(), quote),
        );
        return;
    }

    let line = |values: &[(&str, f64)]| {
        let fields: Vec<String> = values.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
        fields.join("  ")
    };
    println!("{} {}  connections {}  {elapsed:.3} s", args.method, args.url, args.connections);
    println!("requests   {}  ({rate:.1}/s)", totals.latencies.len());
    println!("latency    {} ms", line(&latency));
    if let Some(commit) = commit {
        println!("committed  {} ms", line(&commit));
    }
    println!("handshake  {} ms", line(&handshake));
    println!(
        "status     {:?}  non-2xx {non_2xx}  errors {errors}  reconnects {}  body bytes {}",
        totals.statuses, totals.reconnects, totals.bytes
    );
    for (error, count) in &totals.errors {
        println!("error      {count} x {error}");
    }
    if let Some(excerpt) = &totals.first_failure {
        println!("first non-2xx body: {excerpt}");
    }
}

/// A JSON string.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_rank() {
        let ms: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(percentile(&ms, 50.0), Duration::from_millis(50));
        assert_eq!(percentile(&ms, 99.0), Duration::from_millis(99));
        assert_eq!(percentile(&ms, 99.9), Duration::from_millis(100));
        assert_eq!(percentile(&ms[..1], 99.0), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50.0), Duration::ZERO);
    }

    #[test]
    fn merging_keeps_counts() {
        let sample = |status| Sample {
            status,
            latency: Duration::from_millis(1),
            commit: None,
            bytes: 2,
            excerpt: (status >= 300).then(|| "no".to_owned()),
        };
        let mut a = Totals::default();
        a.add(sample(200), true);
        let mut b = Totals::default();
        b.add(sample(404), false);
        b.add_error("closed".into());
        a.merge(b);
        assert_eq!(a.non_2xx(), 1);
        assert_eq!(a.in_time, 1);
        assert_eq!(a.bytes, 4);
        assert_eq!(a.first_failure.as_deref(), Some("no"));
        assert_eq!(a.errors.get("closed"), Some(&1));
    }

    #[test]
    fn json_strings() {
        assert_eq!(quote("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
