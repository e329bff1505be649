//! `ip_allowlist`: lets calls in from some addresses only.

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Cidrs, Invalid, Stage},
    hook::{Built, Check, Context, PluginFactory, Stages},
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

/// Refuses calls from addresses that are not listed, with 403 and the code `ip_restricted`.
///
/// A client's address is that of its connection, unless a trusted proxy says otherwise; a client whose
/// address is unknown is refused. `ip_whitelist` is its older name.
#[derive(Clone, Copy, Debug)]
pub struct IpAllowlist {
    name: &'static str,
}

/// Settings of [`IpAllowlist`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IpAllowlistSettings {
    /// Whether it does anything. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Addresses, or networks such as `10.0.0.0/8`.
    #[serde(default)]
    pub ips: Cidrs,
    /// Networks, or addresses.
    #[serde(default)]
    pub cidrs: Cidrs,
}

/// The check.
struct Listed(IpAllowlistSettings);

fn yes() -> bool {
    true
}

// === impl IpAllowlist ===

impl IpAllowlist {
    /// Under its name.
    pub fn new() -> Self {
        Self {
            name: "ip_allowlist",
        }
    }

    /// Under its older name.
    pub fn by_older_name() -> Self {
        Self {
            name: "ip_whitelist",
        }
    }
}

impl Default for IpAllowlist {
    fn default() -> Self {
        Self::new()
    }
}

impl PluginFactory for IpAllowlist {
    type Settings = IpAllowlistSettings;

    fn name(&self) -> &'static str {
        self.name
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, settings: IpAllowlistSettings, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        if settings.ips.is_restricted() || settings.cidrs.is_restricted() {
            return Ok(Built::check(Listed(settings)));
        }
        // Nobody could pass, and an empty list elsewhere means everybody.
        Err(vec![Invalid::new("ips", "or `cidrs` must list something")])
    }
}

// === impl Listed ===

#[async_trait]
impl Check for Listed {
    async fn check(&self, call: &Call) -> Result<(), Error> {
        let Self(settings) = self;
        let client = call.trail().client();
        let lists = [&settings.ips, &settings.cidrs];
        let is_listed = lists
            .iter()
            .any(|list| list.is_restricted() && list.admits(client));
        if is_listed || !settings.enabled {
            return Ok(());
        }
        let message = "calls from your address are not allowed";
        Err(Error::new(ErrorKind::Forbidden, message).with_code("ip_restricted"))
    }
}
