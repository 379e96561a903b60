//! Ctrl-C (SIGINT) and SIGTERM. While a run fetches, the first signal stops the run after it has
//! stored the answers so far. At any other time, a signal ends the process at once, which loses
//! nothing, because every write is atomic. A second signal always ends the process at once.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::output::{self, Report, note};

/// Message for a signal that arrives while no call is in flight. Says what is kept and how to
/// continue.
pub(crate) const NOTHING_LOST: &str =
    "everything that was fetched is kept; the next run loads it and fetches only the rest";
/// Message for a second signal. Says what is lost and how to continue.
pub(crate) const CALLS_LOST: &str =
    "at most the calls in flight are lost; the next run fetches only the rest";

/// A signal that asks the process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    /// 128 plus the signal's number, the code that shells use.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "Ctrl-C (SIGINT)",
            Signal::Terminate => "SIGTERM",
        }
    }
}

/// What the first signal does.
#[derive(Debug, Clone)]
enum Effect {
    /// Ends the process with this message.
    End(String),
    /// Ends the process without a message and with code 0, for a command that runs until a signal.
    Finish,
    /// Cancels the token, after which the command ends by itself. A second signal ends the process
    /// with this message.
    Stop(String),
}

/// The signals that a command receives.
#[derive(Clone)]
pub(crate) struct Signals {
    stop: CancellationToken,
    state: Arc<Mutex<State>>,
}

struct State {
    effect: Effect,
    received: Option<Signal>,
}

impl Signals {
    /// Handles signals from now on.
    ///
    /// # Errors
    /// An error if the system refuses to report signals.
    pub(crate) fn listen() -> io::Result<Self> {
        let state = State { effect: Effect::End(String::new()), received: None };
        let signals = Signals {
            stop: CancellationToken::new(),
            state: Arc::new(Mutex::new(state)),
        };
        let mut source = Source::open()?;
        let handled = signals.clone();
        tokio::spawn(async move {
            loop {
                handled.receive(source.next().await);
            }
        });
        Ok(signals)
    }

    /// Returns the token that is cancelled when the command should store its results and stop.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The signal that stopped the command, if any.
    pub(crate) fn received(&self) -> Option<Signal> {
        self.state().received
    }

    /// From now on, a signal ends the process with this message, which says what is kept and how to
    /// continue.
    pub(crate) fn end_with(&self, message: impl Into<String>) {
        self.set(Effect::End(message.into()));
    }

    /// From now on, a signal ends the process without a message and with exit code 0.
    pub(crate) fn finish(&self) {
        self.set(Effect::Finish);
    }

    /// From now on the first signal cancels the token, and the second one ends the process with this message.
    pub(crate) fn stop_first(&self, message: impl Into<String>) {
        self.set(Effect::Stop(message.into()));
    }

    fn set(&self, effect: Effect) {
        let mut state = self.state();
        state.effect = effect;
        // A signal has arrived, but the command can no longer stop by itself.
        if let (Some(signal), Effect::End(message)) = (state.received, &state.effect) {
            end(signal, message);
        }
    }

    fn receive(&self, signal: Signal) {
        let mut state = self.state();
        match (&state.effect, state.received) {
            (Effect::Finish, _) => signal_hook::low_level::exit(0),
            (Effect::Stop(_), None) => {
                state.received = Some(signal);
                note("stopping; press Ctrl-C again to end at once ...");
                self.stop.cancel();
            }
            (Effect::End(message) | Effect::Stop(message), _) => end(signal, message),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a write beyond the limit of file sizes (`ulimit -f`) fail like one on a full disk. Without a handler, the
/// signal SIGXFSZ kills the process, which would leave temporary files.
#[cfg(unix)]
pub(crate) fn survive_file_limit() {
    // Without a handler, the process only ends less cleanly.
    let _ = signal_hook::flag::register(libc::SIGXFSZ, Arc::default());
}

#[cfg(not(unix))]
pub(crate) fn survive_file_limit() {}

/// Ends the process without running destructors. Threads of DuckDB may still be running, and its
/// file is consistent without a clean shutdown.
fn end(signal: Signal, message: &str) -> ! {
    let separator = if message.is_empty() { "" } else { ": " };
    output::failure(&Report {
        kind: "interrupted",
        message: &format!("ended by {}{separator}{message}", signal.name()),
        hint: "run again: the next run continues",
        exit_code: signal.exit_code(),
    });
    findata_duckdb::remove_spill_folders();
    signal_hook::low_level::exit(signal.exit_code().into())
}

#[cfg(unix)]
struct Source {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Source {
    fn open() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Source {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

/// The signals of other systems: they have no SIGTERM, so only Ctrl-C is handled.
#[cfg(not(unix))]
struct Source;

#[cfg(not(unix))]
impl Source {
    fn open() -> io::Result<Self> {
        Ok(Source)
    }

    async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}
