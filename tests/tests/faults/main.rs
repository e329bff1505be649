//! Gateways under configuration that changes fast, and under an etcd that is paused, killed or loses its
//! leader. While all that happens callers are served, and in the end what is served is what etcd holds.
//!
//! These take long, and run as a stage of their own: `make fault-tests`.

mod outages;
mod scene;
mod storm;
