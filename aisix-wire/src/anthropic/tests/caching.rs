use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::anthropic::{CacheTtl, PromptCaching};
use crate::{Edits, Envelope};

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../tests/fixtures/anthropic/caching/", $name, ".json")))),*]
    };
}

const EVERYTHING: PromptCaching = PromptCaching {
    ttl: CacheTtl::FiveMinutes,
    tools: true,
    system: true,
    user_turns: 2,
};

const AN_HOUR: PromptCaching = PromptCaching {
    ttl: CacheTtl::OneHour,
    ..EVERYTHING
};

fn edit(caching: PromptCaching, request: &Value) -> (Value, usize) {
    let bytes = Bytes::from(request.to_string());
    let envelope = Envelope::scan(&bytes, &[]).unwrap();
    let mut edits = Edits::new();
    let count = caching.edit(&bytes, &envelope, &mut edits);
    let edited = edits.apply(&bytes, &envelope);
    (serde_json::from_slice(&edited).unwrap(), count)
}

/// How many breakpoints there are.
fn count(value: &Value) -> usize {
    value.to_string().matches(r#""cache_control":{"#).count()
}

#[test]
fn breakpoints_stand_where_they_should() {
    for (name, text) in fixtures![
        "everything",
        "beside_own",
        "automatic",
        "full",
        "an_hour",
        "before_an_hour",
    ] {
        let fixture: Value = serde_json::from_str(text).unwrap();
        let caching = if name == "an_hour" {
            AN_HOUR
        } else {
            EVERYTHING
        };
        let (edited, set) = edit(caching, &fixture["before"]);
        assert_eq!(edited, fixture["after"], "{name}");
        assert_eq!(set, count(&edited) - count(&fixture["before"]), "{name}");
    }
}

#[test]
fn they_stand_only_where_they_are_wanted() {
    let request = json!({"tools": [{"name": "a"}], "system": "b", "messages": [
        {"role": "user", "content": "c"}, {"role": "user", "content": "d"}]});
    let nowhere = PromptCaching {
        ttl: CacheTtl::FiveMinutes,
        tools: false,
        system: false,
        user_turns: 0,
    };
    assert_eq!(edit(nowhere, &request), (request.clone(), 0));
    for (caching, paths) in [
        (
            PromptCaching {
                tools: true,
                ..nowhere
            },
            &["/tools/0"][..],
        ),
        (
            PromptCaching {
                system: true,
                ..nowhere
            },
            &["/system/0"],
        ),
        (
            PromptCaching {
                user_turns: 1,
                ..nowhere
            },
            &["/messages/1/content/0"],
        ),
        (
            PromptCaching {
                user_turns: 4,
                ..nowhere
            },
            &["/messages/0/content/0", "/messages/1/content/0"],
        ),
    ] {
        let (edited, set) = edit(caching, &request);
        for path in paths {
            let block = edited.pointer(path).unwrap();
            assert_eq!(block["cache_control"]["type"], "ephemeral", "{path}");
        }
        assert_eq!((set, count(&edited)), (paths.len(), paths.len()));
    }
}

#[test]
fn strange_requests_are_left_alone() {
    for request in [
        json!({}),
        json!({"tools": 1, "system": {}, "messages": "x"}),
        json!({"tools": [{}, 1], "system": "", "messages": [1, {}, {"role": "user"}, {"role": "user", "content": ""}]}),
        json!({"messages": [{"role": "user", "content": [1, {}, {"type": "new", "text": "x"}, {"type": "text", "text": ""}]}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": null}]}]}),
        json!({"messages": [{"role": "assistant", "content": "x"}]}),
    ] {
        assert_eq!(edit(EVERYTHING, &request), (request.clone(), 0));
    }
}

fn control() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(json!({"type": "ephemeral"}))),
        1 => Just(Some(json!({"type": "ephemeral", "ttl": "1h"}))),
    ]
}

/// The times of the breakpoints in the order of the prompt.
fn times(request: &Value) -> Vec<bool> {
    let blocks = ["tools", "system"]
        .into_iter()
        .flat_map(|name| request[name].as_array());
    let messages = request["messages"].as_array().into_iter().flatten();
    let contents = messages.filter_map(|message| message["content"].as_array());
    let blocks = blocks.chain(contents).flatten();
    let controls = blocks.filter(|block| block["cache_control"].is_object());
    controls
        .map(|block| block["cache_control"]["ttl"] == "1h")
        .collect()
}

proptest! {
    /// What the provider would have taken, it takes with breakpoints too.
    #[test]
    fn the_rules_of_the_dialect_are_kept(
        controls in prop::collection::vec(control(), 5),
        hour in any::<bool>(),
        user_turns in 0..6_u8,
    ) {
        let block = |at: usize| {
            let mut block = json!({"type": "text", "text": "x"});
            if let Some(control) = &controls[at] {
                block["cache_control"] = control.clone();
            }
            block
        };
        let request = json!({"system": [block(1)], "tools": [block(0)], "messages": [
            {"role": "user", "content": [block(2)]}, {"role": "user", "content": [block(3), block(4)]}]});
        let own = times(&request);
        prop_assume!(own.len() <= 4 && own.is_sorted_by(|a, b| a >= b));
        let ttl = if hour { CacheTtl::OneHour } else { CacheTtl::FiveMinutes };
        let (edited, set) = edit(PromptCaching { ttl, user_turns, ..EVERYTHING }, &request);
        let all = times(&edited);
        prop_assert_eq!(all.len(), own.len() + set);
        prop_assert!(all.len() <= 4, "{:?}", all);
        prop_assert!(all.is_sorted_by(|a, b| a >= b), "{:?}", all);
    }
}
