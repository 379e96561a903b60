//! The ports: traits for everything that a handler may access besides FMP. Each trait has one
//! adapter for AWS or Snowflake and one for a laptop.

pub mod bus;
pub mod queue;
pub mod stage;
pub mod warehouse;
