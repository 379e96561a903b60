//! Parts shared by the Lambda functions: the invocation loop, environment variables, and the steps that S3
//! events start.

mod environment;
mod function;
pub mod step;

pub use environment::Environment;
pub use function::{Function, Invocation, RuntimeError, serve};
