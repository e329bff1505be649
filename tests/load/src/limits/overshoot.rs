//! How much is admitted in a window in which ten times the limit is offered.

use super::fleet::{Fleet, Kind, chat};
use crate::bench::progress;
use crate::client::{Connection, excerpt};
use crate::table::Table;
use anyhow::{Result, anyhow, bail};
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The tokens that the mock says an answer has used.
pub(super) const TOKENS: u64 = 230;

/// How many times the limit is offered.
const OFFERED: u64 = 10;

/// Connections to each gateway.
const CONNECTIONS: u64 = 4;

/// How far from its ends calls are made in a window.
const MARGIN: Duration = Duration::from_millis(30);

/// Measures every kind of limit.
pub(super) async fn measure(table: &mut Table, fleet: &Fleet, windows: usize) -> Result<()> {
    for kind in Kind::ALL {
        let (mut admitted, mut left_out) = (Vec::new(), 0);
        for number in 0..windows {
            let window = room(kind).await;
            let count = rush(fleet, kind, &kind.caller(number)).await?;
            match self::window(kind, MARGIN) == window {
                true => admitted.push(count * kind.unit()),
                false => left_out += 1,
            }
            progress(format_args!(
                "{} window {number}: {count} calls",
                kind.name()
            ));
        }
        let of = format!("{} of {}", kind.name(), kind.limit());
        let values: Vec<_> = admitted.iter().map(|count| *count as f64).collect();
        table.median(&format!("{of}, admitted in a window"), "", &values);
        let worst = admitted
            .iter()
            .map(|count| count.saturating_sub(kind.limit()))
            .max();
        table.once(&format!("{of}, worst overshoot"), worst.unwrap_or_default());
        table.once(&format!("{of}, windows left out"), left_out);
    }
    Ok(())
}

impl Kind {
    /// What one call counts.
    fn unit(self) -> u64 {
        match self {
            Self::Rps | Self::Rpm => 1,
            Self::Tpm => TOKENS,
        }
    }

    /// How long a window is, and how much of it is needed.
    fn widths(self) -> [Duration; 2] {
        match self {
            Self::Rps => [1, 1].map(Duration::from_secs),
            Self::Rpm | Self::Tpm => [60, 10].map(Duration::from_secs),
        }
    }
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The number of the window that is open so much later.
fn window(kind: Kind, later: Duration) -> u64 {
    (now() + later).as_secs() / kind.widths()[0].as_secs()
}

/// Waits until a window has room for a rush, and gives its number.
async fn room(kind: Kind) -> u64 {
    let [width, needed] = kind.widths();
    let passed = Duration::from_nanos((now().as_nanos() % width.as_nanos()) as u64);
    if width - passed < needed {
        sleep(width - passed + MARGIN).await;
    }
    window(kind, Duration::ZERO)
}

/// Offers to all gateways at the same time; gives how many calls were admitted.
async fn rush(fleet: &Fleet, kind: Kind, caller: &str) -> Result<u64> {
    let connections = CONNECTIONS * fleet.shared.len() as u64;
    let calls = (kind.limit() / kind.unit() * OFFERED).div_ceil(connections);
    let mut rush = JoinSet::new();
    for gateway in &fleet.shared {
        for _ in 0..CONNECTIONS {
            let request = chat(gateway.address, caller);
            rush.spawn(offer(gateway.address, request, calls));
        }
    }
    let mut admitted = 0;
    while let Some(count) = rush.join_next().await {
        admitted += count.map_err(|error| anyhow!(error)).flatten()?;
    }
    Ok(admitted)
}

/// Makes so many calls, one after the other; gives how many were answered.
async fn offer(address: SocketAddr, request: Vec<u8>, calls: u64) -> Result<u64> {
    let mut connection = Connection::open(address).await?;
    let mut admitted = 0;
    for _ in 0..calls {
        match connection.exchange(&request).await?.0 {
            200 => admitted += 1,
            429 => {}
            status => bail!("status {status}: {}", excerpt(connection.body())),
        }
    }
    Ok(admitted)
}
