//! A second attempt while the first one takes its time.

use std::time::Duration;

use aisix_core::{
    Gateway,
    config::Config,
    explain::{Explainer, Question},
    testing::{self, Answer, Ended, Endings, Gate, Upstream, next_text},
    wire::Usage,
};
use futures_util::future::join;
use tokio::time::{Instant, sleep, timeout};

use super::*;

const MILLI: Duration = Duration::from_millis(1);

/// A second attempt after 100 ms, for as many requests as this share.
fn hedging(share: f64) -> Value {
    json!({"hedging": {"max_extra_share": share}, "targets": [{"model": "a"}, {"model": "b"}]})
}

fn gateway_with(routing: Value, members: Value, upstream: &Upstream) -> (Gateway, Config, Endings) {
    let endings = Endings::new();
    let config = setup_with(routing, |_| members.clone()).config();
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = builder.observe(endings.clone()).build().unwrap();
    (gateway, config, endings)
}

fn gateway(routing: Value, upstream: &Upstream) -> (Gateway, Config, Endings) {
    gateway_with(routing, json!({}), upstream)
}

/// What kinds of attempts there were, in the order of their ends, and whether nobody waited for them.
fn kinds(endings: &Endings) -> Vec<(&'static str, bool)> {
    let records = endings.records();
    let kinds = records.iter().map(|it| (it.kind.as_str(), it.abandoned));
    kinds.collect()
}

fn late(text: &str, millis: u32) -> Answer {
    Answer::chat(text).head_after(millis * MILLI)
}

fn ask_stream() -> http::Request<aisix_core::body::Body> {
    ask_group_with(&json!({"stream": true}))
}

#[tokio::test(start_paused = true)]
async fn the_second_attempt_is_faster_and_the_first_one_is_dropped_and_not_to_blame() {
    let upstream = Upstream::new();
    let mut first = upstream.answer_for("up-a", late("slow", 9_000));
    upstream.answer_for("up-b", late("fast", 30));
    let (gateway, config, endings) = gateway(hedging(1.0), &upstream);
    let began = Instant::now();
    let response = send(&gateway, ask_group()).await;
    assert_eq!(began.elapsed(), 130 * MILLI);
    assert_eq!(header(&response, "x-aisix-served-by"), "b");
    assert_eq!(header(&response, "x-aisix-attempts"), "2");
    assert_eq!(first.ended().await, Ended::Dropped);
    assert_eq!(under_way(&config), 1, "the answer is not read yet");
    assert!(testing::text(response).await.contains("fast"));
    assert_eq!(under_way(&config), 0);
    assert_eq!(kinds(&endings), [("initial", true), ("hedge", false)]);
    assert!(endings.turns().is_empty());
    let numbers: Vec<_> = endings.records().iter().map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_may_still_be_faster() {
    for (answer, request) in [
        (late("first", 150), ask_group()),
        (
            Answer::stream()
                .role()
                .wait(150 * MILLI)
                .content("first")
                .finish()
                .done(),
            ask_stream(),
        ),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", answer);
        let mut second = upstream.answer_for("up-b", late("second", 1_000));
        let (gateway, config, endings) = gateway(hedging(1.0), &upstream);
        let began = Instant::now();
        let response = send(&gateway, request).await;
        assert_eq!(began.elapsed(), 150 * MILLI);
        assert_eq!(header(&response, "x-aisix-served-by"), "a");
        assert_eq!(header(&response, "x-aisix-attempts"), "2");
        assert_eq!(second.ended().await, Ended::Dropped);
        assert!(testing::text(response).await.contains("first"));
        assert_eq!(kinds(&endings), [("hedge", true), ("initial", false)]);
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_answers_in_time_is_alone_and_so_is_who_is_not_hedged() {
    for (routing, millis) in [
        (hedging(1.0), 99),
        (hedging(0.5), 900),
        (json!({}), 900),
        (
            json!({"hedging": {"max_extra_share": 1}, "max_fallbacks": 0}),
            900,
        ),
    ] {
        let upstream = Upstream::new();
        upstream.always("up-a", late("hello", millis));
        let (gateway, _, endings) = gateway(routing.clone(), &upstream);
        testing::text(send(&gateway, ask_group()).await).await;
        assert_eq!(kinds(&endings), [("initial", false)], "{routing}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_share_has_a_second_attempt() {
    let upstream = Upstream::new();
    upstream.always("up-a", late("slow", 800));
    upstream.always("up-b", late("fast", 10));
    let mut routing = hedging(0.2);
    // The time is what b takes usually, or more: so each would have one.
    routing["hedging"]["min_delay_ms"] = json!(50);
    let (gateway, _, endings) = gateway(routing, &upstream);
    for _ in 0..50 {
        testing::text(send(&gateway, ask_group()).await).await;
    }
    let hedges = kinds(&endings).iter().filter(|it| it.0 == "hedge").count();
    assert_eq!(hedges, 10);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_not_counted_as_a_second_attempt() {
    let upstream = Upstream::new();
    upstream.always("up-a", late("slow", 800));
    upstream.answer_for("up-b", Answer::refused());
    upstream.always("up-b", late("fast", 10));
    let mut routing = hedging(0.5);
    routing["retries"] = json!(0);
    let members = json!({"cooldown": {"enabled": false}});
    let (gateway, _, endings) = gateway_with(routing, members, &upstream);
    for _ in 0..3 {
        testing::text(send(&gateway, ask_group()).await).await;
    }
    // The second request has the one that nobody got, the third has half of one, and the half of the first.
    let hedges = kinds(&endings);
    let hedges = hedges.iter().filter(|it| it.0 == "hedge").count();
    assert_eq!(hedges, 2, "{:?}", kinds(&endings));
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_one_leaves_the_other_running() {
    // The first fails, then the second answers; and the other way round.
    for (first, second, served_by) in [
        (
            Answer::refusal(500, "no").head_after(200 * MILLI),
            late("b", 900),
            "b",
        ),
        (
            late("a", 900),
            Answer::refusal(400, "no").head_after(50 * MILLI),
            "a",
        ),
        (late("a", 900), Answer::refused(), "a"),
    ] {
        let upstream = Upstream::new();
        upstream.answer_for("up-a", first);
        upstream.answer_for("up-b", second);
        let (gateway, config, endings) = gateway(hedging(1.0), &upstream);
        let response = send(&gateway, ask_group()).await;
        assert_eq!(header(&response, "x-aisix-served-by"), served_by);
        assert_eq!(response.status(), 200);
        testing::text(response).await;
        assert_eq!(asked(&upstream), ["a", "b"]);
        assert!(kinds(&endings).iter().all(|(_, abandoned)| !abandoned));
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_failed_is_given_back_while_the_other_goes_on() {
    let upstream = Upstream::new();
    let gate = Gate::new();
    upstream.answer_for("up-a", Answer::refusal(500, "no").head_after(200 * MILLI));
    upstream.answer_for("up-b", Answer::chat("b").head_gate(&gate));
    let (gateway, config, endings) = gateway(hedging(1.0), &upstream);
    let look = async {
        sleep(150 * MILLI).await;
        assert_eq!(under_way(&config), 2);
        sleep(100 * MILLI).await;
        assert_eq!(under_way(&config), 1);
        assert_eq!(endings.turns().len(), 1, "a rests");
        gate.open();
    };
    let (response, ()) = join(send(&gateway, ask_group()), look).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "b");
}

#[tokio::test(start_paused = true)]
async fn when_both_fail_the_course_goes_on_with_the_first_one_and_passes_the_second_over() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(500, "no").head_after(200 * MILLI));
    upstream.answer_for("up-b", Answer::refusal(500, "no").head_after(300 * MILLI));
    upstream.answer_for("up-c", Answer::chat("c"));
    let routing = json!({"hedging": {"max_extra_share": 1}});
    let (gateway, config, endings) = gateway(routing, &upstream);
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "c");
    assert_eq!(header(&response, "x-aisix-attempts"), "3");
    testing::text(response).await;
    assert_eq!(asked(&upstream), ["a", "b", "c"]);
    let expected = ["initial", "hedge", "fallback"].map(|kind| (kind, false));
    assert_eq!(kinds(&endings), expected);
    assert_eq!(under_way(&config), 0);

    // What the first has said is what counts.
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(400, "mine").head_after(300 * MILLI));
    upstream.answer_for("up-b", Answer::refusal(500, "no").head_after(10 * MILLI));
    let routing = json!({"hedging": {"max_extra_share": 1}});
    let (gateway, ..) = self::gateway(routing, &upstream);
    let (status, body) = refusal(send(&gateway, ask_group()).await).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(asked(&upstream), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn only_who_is_well_and_has_room_is_asked_too() {
    let upstream = Upstream::new();
    upstream.always("up-a", late("slow", 500));
    upstream.answer_for("up-b", Answer::refusal(500, "no"));
    upstream.always("up-b", late("fast", 10));
    let (gateway, ..) = gateway(hedging(1.0), &upstream);
    // It fails, and rests.
    testing::text(send(&gateway, ask_group()).await).await;
    testing::text(send(&gateway, ask_group()).await).await;
    assert_eq!(asked(&upstream), ["a", "b", "a"]);

    let upstream = Upstream::new();
    upstream.always("up-a", late("slow", 500));
    upstream.always("up-b", late("fast", 300));
    let members = json!({"rate_limit": {"rpm": 1}});
    let mut routing = hedging(1.0);
    routing["targets"] = json!([{"model": "a"}, {"model": "b"}]);
    let setup = setup_with(routing, |name| match name {
        "b" => members.clone(),
        _ => json!({}),
    });
    let gateway = setup.gateway(&upstream);
    for (served_by, millis) in [("b", 400), ("a", 500)] {
        let began = Instant::now();
        let response = send(&gateway, ask_group()).await;
        assert_eq!(header(&response, "x-aisix-served-by"), served_by);
        assert_eq!(began.elapsed(), millis * MILLI);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_is_what_usually_suffices_for_one_of_the_two() {
    let upstream = Upstream::new();
    for number in 0..100 {
        // 95 of a hundred answer within 300 ms.
        let millis = if number % 25 == 24 { 2_000 } else { 300 };
        upstream.answer_for("up-a", late("hello", millis));
    }
    let routing =
        json!({"targets": [{"model": "a"}, {"model": "b"}], "hedging": {"max_extra_share": 0.001}});
    let (gateway, config, _) = gateway(routing, &upstream);
    for _ in 0..100 {
        testing::text(send(&gateway, ask_group()).await).await;
    }
    // The next one is known to be no quicker, or it is not known.
    let builder = Gateway::builder(config).transport(upstream.clone());
    let question = Question::new().key(testing::API_KEY).model(GROUP);
    let explanation = Explainer::new(builder).explain(question).await.unwrap();
    let reasons: Vec<_> = explanation
        .targets
        .iter()
        .map(|it| it.reason.clone())
        .collect();
    let told = reasons[1].clone().unwrap();
    let millis = told.trim_start_matches("it is asked, too, when the first takes longer than ");
    let millis: u32 = millis.trim_end_matches(" ms").parse().unwrap();
    assert!((297..=303).contains(&millis), "{told}");
    assert_eq!(reasons[0], None);
}

#[tokio::test(start_paused = true)]
async fn nobody_wins_by_silence_and_the_client_is_not_left_without_a_word() {
    let second = Duration::from_secs(1);
    for first_wins in [true, false] {
        let upstream = Upstream::new();
        let stream = |after: u32, text: &str| {
            let answer = Answer::stream().role().wait(after * second);
            answer.content(text).finish().done()
        };
        let (a, b) = if first_wins { (40, 50) } else { (90, 36) };
        let mut first = upstream.answer_for("up-a", stream(a, "from a"));
        let mut other = upstream.answer_for("up-b", stream(b, "from b"));
        let (gateway, config, endings) = gateway(hedging(1.0), &upstream);
        let began = Instant::now();
        let response = send(&gateway, ask_stream()).await;
        assert_eq!(began.elapsed(), 15 * second);
        assert_eq!(header(&response, "x-aisix-attempts"), "2");
        assert_eq!(header(&response, "x-aisix-served-by"), "a");
        assert_eq!(header(&response, "content-type"), "text/event-stream");
        assert_eq!(under_way(&config), 2);
        let mut body = response.into_body();
        let (mut spoke, mut text) = (began, String::new());
        while let Some(next) = next_text(&mut body).await {
            assert!(spoke.elapsed() <= 15 * second, "{:?}", spoke.elapsed());
            spoke = Instant::now();
            text += &next;
        }
        let (wins, said, loser) = match first_wins {
            true => (40 * second, "from a", &mut other),
            false => (36 * second + 100 * MILLI, "from b", &mut first),
        };
        assert_eq!(began.elapsed(), wins);
        assert!(
            text.starts_with(":\n\n:\n\n") && text.contains(said),
            "{text}"
        );
        assert_eq!(text.matches("from").count(), 1, "{text}");
        assert_eq!(loser.ended().await, Ended::Dropped);
        drop(body);
        let expected = match first_wins {
            true => [("hedge", true), ("initial", false)],
            false => [("initial", true), ("hedge", false)],
        };
        assert_eq!(kinds(&endings), expected);
        assert_eq!(endings.only().word, "success");
        assert_eq!(under_way(&config), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn behind_heartbeats_the_course_goes_on_when_both_fail() {
    let second = Duration::from_secs(1);
    let upstream = Upstream::new();
    let cut = |after: u32| Answer::stream().role().wait(after * second).cut();
    upstream.answer_for("up-a", cut(20));
    upstream.answer_for("up-b", cut(30));
    upstream.answer_for("up-c", Answer::stream().content("from c").finish().done());
    let (gateway, config, endings) = gateway(json!({"hedging": {"max_extra_share": 1}}), &upstream);
    let text = testing::text(send(&gateway, ask_stream()).await).await;
    assert!(text.contains("from c"), "{text}");
    let expected = ["initial", "hedge", "fallback"].map(|kind| (kind, false));
    assert_eq!(kinds(&endings), expected);
    assert_eq!(endings.only().word, "success");
    assert_eq!(under_way(&config), 0);

    let upstream = Upstream::new();
    upstream.answer_for("up-a", cut(20));
    upstream.answer_for("up-b", cut(30));
    let mut routing = hedging(1.0);
    routing["retries"] = json!(0);
    let (gateway, config, endings) = self::gateway(routing, &upstream);
    let text = testing::text(send(&gateway, ask_stream()).await).await;
    assert!(
        text.starts_with(":\n\n") && text.contains("\"error\""),
        "{text}"
    );
    assert_eq!(endings.only().word, "failed");
    assert_eq!(under_way(&config), 0);
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_in_any_phase_leave_nothing_behind() {
    let slots = json!({"max_connections": {"limit": 1}, "rate_limit": {"concurrency": 1}});
    for millis in [50, 150, 20_000] {
        let upstream = Upstream::new();
        let mut first = upstream.answer_for("up-a", Answer::stream().role().stall());
        let mut second = upstream.answer_for("up-b", Answer::stream().role().stall());
        upstream.always("up-a", late("hello", 10));
        upstream.always("up-b", late("hello", 10));
        let (gateway, config, endings) = gateway_with(hedging(1.0), slots.clone(), &upstream);
        let call = async { testing::text(send(&gateway, ask_stream()).await).await };
        assert!(timeout(millis * MILLI, call).await.is_err());
        assert_eq!(first.ended().await, Ended::Dropped);
        if millis > 100 {
            assert_eq!(second.ended().await, Ended::Dropped);
        }
        assert_eq!(under_way(&config), 0, "{millis}");
        assert!(kinds(&endings).iter().all(|(_, abandoned)| *abandoned));
        assert!(endings.records().iter().all(|it| it.usage.is_none()));
        for model in ["a", "b"] {
            let body = chat_body(&json!({"model": model}));
            let response = send(&gateway, testing::request(CHAT, body)).await;
            assert_eq!(response.status(), 200, "{model}");
            testing::text(response).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_gives_its_slot_and_its_limits_back_and_what_it_has_read_is_told() {
    let members = json!({"max_connections": {"limit": 1}, "rate_limit": {"concurrency": 1}});
    let upstream = Upstream::new();
    upstream.answer_for("up-a", late("slow", 9_000));
    upstream.always("up-a", Answer::chat("hello"));
    upstream.always("up-b", late("fast", 10));
    let (gateway, _, endings) = gateway_with(hedging(1.0), members, &upstream);
    testing::text(send(&gateway, ask_group()).await).await;
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "a");
    let records = endings.records();
    let usage = records[0].usage.unwrap();
    assert!(records[0].usage_estimated && usage.input > 0, "{usage:?}");
    assert_eq!(
        usage,
        Usage {
            input: usage.input,
            ..Usage::default()
        }
    );
    assert_eq!(records[1].usage.unwrap().output, 7);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_next_one_counts_where_it_is_less_and_that_of_streams_apart() {
    let upstream = Upstream::new();
    upstream.always("up-a", late("slow", 2_000));
    upstream.always("up-b", late("fast", 400));
    let (gateway, _, endings) = gateway(hedging(1.0), &upstream);
    for model in ["a", "b"] {
        for _ in 0..20 {
            let body = chat_body(&json!({"model": model}));
            testing::text(send(&gateway, testing::request(CHAT, body)).await).await;
        }
    }
    let began = Instant::now();
    testing::text(send(&gateway, ask_group()).await).await;
    let took = began.elapsed().as_millis();
    assert!((796..=804).contains(&took), "{took}");
    // Of streams nothing is known: 100 ms.
    let stream = || Answer::stream().role().wait(400 * MILLI);
    upstream.answer_for("up-a", stream().wait(2_000 * MILLI).content("slow"));
    upstream.answer_for("up-b", stream().content("fast").finish().done());
    let began = Instant::now();
    drop(send(&gateway, ask_stream()).await);
    assert_eq!(began.elapsed(), 500 * MILLI);
    let hedges = kinds(&endings);
    assert_eq!(hedges.iter().filter(|it| it.0 == "hedge").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn behind_heartbeats_what_is_no_stream_has_failed() {
    let second = Duration::from_secs(1);
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::stream().role().wait(60 * second).cut());
    upstream.answer_for("up-b", late("no stream", 20_000));
    upstream.answer_for("up-c", Answer::stream().content("from c").finish().done());
    let (gateway, ..) = gateway(json!({"hedging": {"max_extra_share": 1}}), &upstream);
    let text = testing::text(send(&gateway, ask_stream()).await).await;
    assert!(
        text.contains("from c") && !text.contains("no stream"),
        "{text}"
    );
    assert_eq!(asked(&upstream), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_only_explained_allows_no_second_attempt() {
    let upstream = Upstream::new();
    upstream.always("up-a", late("slow", 900));
    let (gateway, config, endings) = gateway(hedging(0.5), &upstream);
    for _ in 0..3 {
        let builder = Gateway::builder(config.clone()).transport(upstream.clone());
        let question = Question::new().key(testing::API_KEY).model(GROUP);
        Explainer::new(builder).explain(question).await.unwrap();
    }
    testing::text(send(&gateway, ask_group()).await).await;
    assert_eq!(kinds(&endings), [("initial", false)]);
}
