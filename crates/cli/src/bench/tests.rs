//! Figures.

use super::*;

#[test]
fn the_bare_loop_really_starts() {
    let rate = bare::starts_per_second(8, 2).unwrap();
    assert!(rate > 1.0 && rate < 100_000.0, "{rate}");
}

#[test]
fn the_report_shows_all_figures_and_their_ratio() {
    let rates = Rates {
        puts_per_second: 1000.0,
        put_median_ms: 2.0,
        put_99th_ms: 9.0,
        runs_per_second: 150.0,
        failed: 1,
    };
    let load = Load {
        jobs: 10,
        connections: 3,
        nodes: 4,
    };
    let report = Report::new(
        load,
        rates,
        [
            Bare {
                one: 100.0,
                many: 200.0,
            },
            Bare {
                one: 110.0,
                many: 400.0,
            },
        ],
    );
    let text = report.to_string();
    assert!(text.contains("1000.0") && text.contains("(1 failed)"), "{text}");
    assert!(
        text.ends_with("jobs by bare starts, 4 threads: 0.500\n"),
        "{text}"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["ratio"], &json["bare_after"]["many"]),
        (&0.5.into(), &400.0.into())
    );
}
