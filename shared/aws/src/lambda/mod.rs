//! Code that the Lambda functions share: the main loop, environment variables, and the steps that S3 events
//! start.

mod environment;
mod function;
mod log;
pub mod step;

pub use environment::Environment;
pub use function::{Function, Invocation, RuntimeError, serve};
