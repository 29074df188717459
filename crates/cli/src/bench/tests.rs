//! Figures.

use super::report::Rates;
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

#[tokio::test]
async fn measures_any_server_and_counts_failures() {
    let server = crate::standin::serve().await;
    let load = Load {
        jobs: 20,
        connections: 3,
        nodes: 2,
    };
    let rates = load::measure(load, server.client()).await.unwrap();
    assert_eq!(rates.failed, 2, "the stand-in fails every tenth job");
    assert!(rates.puts_per_second > 0.0 && rates.runs_per_second > 0.0);
    assert!(rates.put_median_ms <= rates.put_99th_ms);
    let calls = server.calls();
    let count = |what: &str| calls.iter().filter(|call| call.contains(what)).count();
    assert_eq!(
        count("PUT /subscriptions/s/resourceGroups/bench-"),
        1 + 1 + 2 + 2 + 40
    );
    assert!(
        calls
            .last()
            .unwrap()
            .starts_with("DELETE /subscriptions/s/resourceGroups/bench-"),
        "{calls:?}"
    );
    let absent = Client::new(Endpoint::from_url("http://127.0.0.1:1").unwrap(), "t").unwrap();
    assert!(load::measure(load, absent).await.is_err());
}
