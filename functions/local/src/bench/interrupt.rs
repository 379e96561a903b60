//! Ctrl-C and SIGTERM.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Receives the signals that end a benchmark.
#[derive(Debug)]
pub struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// Replaces the default effect of both signals, which would leave children and folders behind.
    ///
    /// # Errors
    /// The system's, if it refuses to register a handler.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Interrupt {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal and returns the exit code that stands for it.
    pub async fn received(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }

    /// Sleeps.
    ///
    /// # Errors
    /// The exit code of a signal that ended the sleep.
    pub async fn sleep(&mut self, time: Duration) -> Result<(), u8> {
        tokio::select! {
            code = self.received() => Err(code),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}
