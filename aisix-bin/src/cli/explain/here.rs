//! Explaining without a node.

use anyhow::Context;

use super::{
    arguments::Asked,
    text::{Place, Told},
};
use crate::{assemble, settings::Settings};

/// Reads the configuration where the settings say it is, and explains with it.
///
/// # Errors
///
/// When it cannot be read, or the question makes no sense.
pub(super) async fn explain(settings: &Settings, asked: Asked) -> anyhow::Result<Told> {
    let is_embedded = settings.resources_file.is_none() && settings.etcd.is_none();
    let directory = settings.data_dir.display();
    if is_embedded && !settings.data_dir.is_dir() {
        // Looking must not make it.
        anyhow::bail!("no node answers, and there is no data directory {directory}");
    }
    let explainer = assemble::explainer(settings).await;
    let explainer = match is_embedded {
        true => explainer.context(
            "no node answers where the settings say (if one runs, set AISIX_ADMIN__ADDR to its \
             admin listener and AISIX_ADMIN_KEY to its key)",
        ),
        false => explainer,
    };
    let explanation = explainer?.explain(asked.into_question()).await?;
    Ok(Told {
        explanation: explanation.to_json(),
        place: Place::Here(settings.admin.as_ref().map(|admin| admin.addr)),
    })
}
