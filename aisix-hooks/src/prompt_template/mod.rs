//! `prompt_template`: puts text around the system prompt, and what users say into a template.

mod places;
mod prompt;
mod settings;
mod variables;

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    call::{Call, Trail},
    config::resource::{Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
    reply::Reply,
    wire::{Edits, Form, json_string},
};

pub use self::settings::{Around, PromptTemplateSettings};
use self::{
    prompt::{Flaw, Prompt},
    settings::Templates,
    variables::{GIVEN, Given},
};

/// Puts text before and after the system prompt, and the last text of the user into a template, in chats of every
/// dialect.
///
/// `{{name}}` in a template stands for a variable that the caller gives in the member `prompt_variables`, or for its
/// default; without either the call is refused with 400, which names it. `{{input}}` stands for the user's text, and
/// `${…}` for facts of the request. What a variable holds is text and stays so: it cannot add messages or roles, and
/// is not looked into again.
///
/// Guards that shall see what the model sees stand after it. Nothing is remembered, and nothing else can fail.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptTemplate;

// === impl PromptTemplate ===

impl PluginFactory for PromptTemplate {
    type Settings = PromptTemplateSettings;

    fn name(&self) -> &'static str {
        "prompt_template"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(
        &self,
        settings: PromptTemplateSettings,
        _: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let templates = Arc::new(Templates::read(settings)?);
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            let templates = templates.clone();
            async move { templates.run(call, next).await }
        })))
    }
}

// === impl Templates ===

impl Templates {
    async fn run(&self, mut call: Call, next: Next) -> Result<Reply, Error> {
        let mut edits = Edits::new();
        let given = Given::take(&mut call, &mut edits)?;
        if matches!(call.inbound.operation.form, Form::Chat | Form::CountTokens) {
            self.write(&call, &given, &mut edits)?;
        }
        let edited = call.inbound.payload.edit(&edits);
        edited.map_err(|error| {
            let message = "the prompt's template made no JSON of the request";
            Error::new(ErrorKind::Internal, message).with_source(error)
        })?;
        next.run(call).await
    }

    fn write(&self, call: &Call, given: &Given, edits: &mut Edits) -> Result<(), Error> {
        let (dialect, payload) = (call.inbound.operation.dialect, &call.inbound.payload);
        let around = [&self.before, &self.after];
        if around.iter().any(|prompt| prompt.is_some()) {
            let [before, after] = around.map(|prompt| {
                let prompt = prompt.as_ref();
                prompt.map(|prompt| self.fill(prompt, None, given, call.trail()))
            });
            let (before, after) = (before.transpose()?, after.transpose()?);
            places::around_system(dialect, payload, before.as_deref(), after.as_deref(), edits);
        }
        if let Some(user) = &self.user {
            let (place, input) = places::user_text(dialect, payload).ok_or_else(|| {
                let message = "no text of the user that the prompt's template could take";
                Error::new(ErrorKind::InvalidRequest, message)
            })?;
            let text = self.fill(user, Some(&input), given, call.trail())?;
            edits.replace(place, json_string(&text));
        }
        Ok(())
    }

    fn fill(
        &self,
        prompt: &Prompt,
        input: Option<&str>,
        given: &Given,
        trail: &Trail,
    ) -> Result<String, Error> {
        let value = |name: &str| {
            let input = input.filter(|_| name == prompt::INPUT);
            let given = input.or_else(|| given.get(name));
            given.or_else(|| self.defaults.get(name).map(String::as_str))
        };
        prompt.fill(&value, trail).map_err(|flaw| match flaw {
            Flaw::Missing(name) => {
                let message = format!("the prompt variable `{name}` is missing");
                Error::invalid(format!("{GIVEN}.{name}"), message)
            }
            Flaw::TooLong => {
                let message = "the prompt becomes too long by its template";
                Error::new(ErrorKind::TooLarge, message)
            }
        })
    }
}
