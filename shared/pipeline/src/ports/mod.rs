//! The ports: what a handler may access besides FMP. Each has an adapter for AWS or Snowflake and one for a laptop.

pub mod bus;
pub mod queue;
pub mod stage;
pub mod warehouse;
