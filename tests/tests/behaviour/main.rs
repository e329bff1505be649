//! One table: every provider, every caller's dialect, every behaviour.
//!
//! A row is a [`provider::Provider`], a column a [`caller::Caller`]; a behaviour is written once, in
//! what both have in common ([`said`]), and runs in each of their cells through the real binary against
//! a strict upstream. What cannot be in a cell is said there, with the refusal that is expected.

mod bad;
mod caller;
mod chats;
mod endings;
mod errors;
mod house;
mod images;
mod live;
mod odd;
mod provider;
mod said;
mod schemas;
mod stops;
mod thinking;
mod tools;

/// A test for each behaviour of a row; each runs for all callers.
macro_rules! row {
    ($name:ident: $provider:ident; $($test:ident = $behaviour:path,)+) => {
        mod $name {
            $(
                #[tokio::test]
                async fn $test() {
                    crate::house::run(&crate::provider::$provider, $behaviour).await;
                }
            )+
        }
    };
}

macro_rules! table {
    ($($name:ident: $provider:ident,)+) => {
        $(row! {
            $name: $provider;
            chat = crate::chats::whole,
            chat_streams = crate::chats::streamed,
            usage = crate::chats::usage,
            tools = crate::tools::one,
            tools_in_parallel = crate::tools::several,
            images = crate::images::shown,
            json_schema = crate::schemas::closed,
            json_schema_with_constraints = crate::schemas::constrained,
            thinking = crate::thinking::shown,
            thinking_in_a_tool_loop = crate::thinking::replayed,
            stop_reasons = crate::stops::reasons,
            refusals_of_the_model = crate::stops::declined,
            errors = crate::errors::told,
            cancel = crate::endings::cancelled,
            cut = crate::endings::cut,
            stall = crate::endings::stalled,
            garbage = crate::endings::garbage,
            results_without_calls = crate::bad::results_alone,
            calls_without_results = crate::bad::calls_alone,
            nothing_said = crate::bad::empty,
            arguments_that_are_empty = crate::bad::no_arguments,
            characters_cut_by_tcp = crate::bad::split,
        })+
    };
}

table! {
    openai: OPENAI,
    deepseek: DEEPSEEK,
    anthropic: ANTHROPIC,
    gemini: GEMINI,
    front: FRONT,
    compatible: COMPATIBLE,
}
