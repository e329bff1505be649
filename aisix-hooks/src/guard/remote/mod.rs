//! Guards that ask a service.
//!
//! `driver` is what all of them do with a call: they find its texts, have them judged, and refuse or change
//! the call. A `service::Service` knows what one service is asked and what its answers mean.

mod azure;
mod azure_prompt_shield;
mod azure_text_moderation;
mod bedrock;
mod cut;
mod driver;
mod hold;
mod lakera;
mod mask;
mod openai_moderation;
mod presidio;
mod service;
mod settings;
mod stream;

use crate::ask;

pub use self::{
    azure_prompt_shield::{AzurePromptShield, AzurePromptShieldSettings},
    azure_text_moderation::{
        AzureTextModeration, AzureTextModerationSettings, HarmCategory, SeverityLevels,
        StreamProcessing, TextSource,
    },
    bedrock::{AwsCredentials, BedrockGuardrail, BedrockGuardrailSettings, LatencyMode},
    lakera::{Lakera, LakeraSettings},
    openai_moderation::{OpenaiModeration, OpenaiModerationSettings},
    presidio::{Presidio, PresidioAction, PresidioEntity, PresidioOperator, PresidioSettings},
    settings::{OnBufferExceeded, RemoteGuardSettings},
};
