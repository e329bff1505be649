use super::*;

const SIZE: Size = Size {
    concurrency: 8,
    scale: 1.0,
};

fn record(round: usize, subject: Kind, cpu: Option<f64>, p50: f64) -> Record {
    let window = Window {
        cpu,
        rate: 1000.0,
        p50,
        p99: p50 * 2.0,
        first: p50 / 2.0,
    };
    Record {
        round,
        scenario: Scenario::Small,
        subject,
        window: Ok(window),
    }
}

fn void(round: usize, subject: Kind) -> Record {
    Record {
        window: Err("status 500: oops".into()),
        ..record(round, subject, None, 1.0)
    }
}

fn records() -> Vec<Record> {
    vec![
        record(1, Kind::Direct, None, 50.0),
        record(1, Kind::Bare, Some(20.0), 80.0),
        record(1, Kind::Aisix, Some(33.0), 99.0),
        record(2, Kind::Direct, None, 60.0),
        record(2, Kind::Bare, Some(10.0), 90.0),
        void(2, Kind::Aisix),
        record(3, Kind::Direct, None, 40.0),
        record(3, Kind::Bare, Some(15.0), 70.0),
        record(3, Kind::Aisix, Some(27.0), 101.0),
    ]
}

fn report(records: &[Record], idle_kib: u64) -> Report {
    let resident = Resident {
        subject: Kind::Aisix,
        idle_kib,
        peak_kib: 20 << 10,
        rested_kib: 12 << 10,
    };
    Report::new(SIZE, 3, Vec::new(), records, vec![resident])
}

#[test]
fn figures_are_medians_beside_bare_and_direct() {
    let figures = figures(&records());
    let aisix = figures.iter().find(|f| f.subject == Kind::Aisix).unwrap();
    assert_eq!(aisix.windows, 2);
    assert_eq!(aisix.cpu_us, Some(30.0));
    assert_eq!(aisix.cpu_ratio, Some(2.0));
    assert_eq!(aisix.added_p50_us, Some(50.0));
    assert_eq!(aisix.added_p99_us, Some(100.0));
    let direct = figures.iter().find(|f| f.subject == Kind::Direct).unwrap();
    assert_eq!((direct.cpu_us, direct.added_p50_us), (None, None));
}

#[test]
fn a_subject_whose_windows_are_all_void_has_no_figures_and_the_run_is_not_good() {
    let records = [record(1, Kind::Bare, Some(1.0), 1.0), void(1, Kind::Aisix)];
    assert_eq!(figures(&records).len(), 1);
    assert!(!report(&records, 0).good());
}

#[test]
fn without_the_bare_proxy_no_aim_is_met() {
    let report = report(&[record(1, Kind::Aisix, Some(1.0), 1.0)], 0);
    let expected = "1 KB chat: nothing to compare with, aim 2";
    assert_eq!(report.missed, [expected]);
}

#[test]
fn a_void_window_is_reported_and_no_run_with_one_is_good() {
    let report = report(&records(), 10 << 10);
    assert!(report.missed.is_empty());
    assert_eq!(
        report.voided,
        ["round 2, 1 KB chat, aisix: void: status 500: oops"]
    );
    assert!(!report.good());
}

#[test]
fn a_missed_aim_is_named_with_both_figures() {
    let mut records = records();
    records.push(record(4, Kind::Aisix, Some(60.0), 100.0));
    let report = report(&records, 16 << 10);
    assert_eq!(
        report.missed,
        [
            "1 KB chat: 2.20 × bare, aim 2",
            "idle memory: 16.0 MiB, aim under 15"
        ]
    );
}

#[test]
fn the_table_has_a_row_per_subject_and_dashes_where_nothing_is_measured() {
    let text = report(&records(), 10 << 10).markdown();
    let rows: Vec<_> = text.lines().filter(|l| l.starts_with("| 1 KB")).collect();
    assert_eq!(
        rows,
        [
            "| 1 KB chat | direct | – | – | – | 50 | 100 | – | – | – | – | 3 |",
            "| 1 KB chat | bare | 15.0 | 1.00 | – | 80 | 160 | 30 | 60 | – | – | 3 |",
            "| 1 KB chat | aisix | 30.0 | 2.00 | 2.0 | 100 | 200 | 50 | 100 | – | – | 2 |",
        ]
    );
    assert!(text.contains("| aisix | 10.0 | 20.0 | 12.0 |\n"));
    assert!(text.contains("Voided windows:\n- round 2"));
}

#[test]
fn a_translation_is_measured_by_what_is_passed_on() {
    let of = |scenario, cpu| Record {
        scenario,
        ..record(1, Kind::Aisix, Some(cpu), 1.0)
    };
    let report = report(
        &[
            of(Scenario::Small, 30.0),
            of(Scenario::ToGemini, 42.0),
            of(Scenario::ToAnthropic, 48.0),
            of(Scenario::Burst, 100.0),
            of(Scenario::BurstToGemini, 600.0),
        ],
        0,
    );
    let text = report.markdown();
    assert!(text.contains("| 1 KB chat to Gemini | 42.0 | 30.0 | 1.40 | – |\n"));
    assert!(text.contains("| 200-event burst from Gemini | 600.0 | 100.0 | 6.00 | 2.50 |\n"));
    let missed = &report.missed[2..];
    assert_eq!(
        missed,
        [
            "1 KB chat to Anthropic: 1.60 × verbatim, aim 1.5",
            "200-event burst from Gemini: 2.50 µs more per event, aim 2",
        ]
    );
}
