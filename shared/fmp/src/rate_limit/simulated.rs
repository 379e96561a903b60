//! Simulated time and its executor. When all tasks wait, the time advances to the next timer.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures::{
    FutureExt, StreamExt,
    channel::oneshot,
    future::{AbortHandle, BoxFuture, LocalBoxFuture, abortable},
    stream::FuturesUnordered,
};

/// Simulated time. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Simulated(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    now: Duration,
    /// Wakers of waiting tasks, by the time at which they are woken and a sequence number.
    timers: BTreeMap<(Duration, u64), Waker>,
    last_timer: u64,
    spawned: Vec<BoxFuture<'static, ()>>,
}

/// A spawned task. Dropping it aborts the task.
pub(super) struct Task<T> {
    abort: AbortHandle,
    result: oneshot::Receiver<T>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

impl Simulated {
    /// Simulated time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    /// Waits until this much simulated time has passed since the start.
    pub(super) async fn sleep_until(&self, until: Duration) {
        // The same number at every poll, so that later polls replace the timer instead of adding
        // one.
        let number = {
            let mut inner = self.0.lock().unwrap();
            inner.last_timer += 1;
            inner.last_timer
        };
        std::future::poll_fn(|context| {
            let mut inner = self.0.lock().unwrap();
            if inner.now >= until {
                return Poll::Ready(());
            }
            inner.timers.insert((until, number), context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits for a duration.
    pub(super) async fn sleep(&self, time: Duration) {
        self.sleep_until(self.elapsed() + time).await;
    }

    /// Spawns a task, which `run` executes.
    pub(super) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Task<T> {
        let (sender, result) = oneshot::channel();
        let (work, abort) = abortable(work.map(|done| {
            let _ = sender.send(done);
        }));
        self.0.lock().unwrap().spawned.push(work.map(|_| ()).boxed());
        Task { abort, result }
    }

    /// Runs `main` and all spawned tasks until `main` ends.
    pub(super) fn run<'a>(&self, main: impl Future<Output = ()> + 'a) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let ended = AtomicBool::new(false);
        let mut tasks: FuturesUnordered<LocalBoxFuture<'_, ()>> = FuturesUnordered::new();
        tasks.push(main.map(|()| ended.store(true, SeqCst)).boxed_local());
        while !ended.load(SeqCst) {
            for task in std::mem::take(&mut self.0.lock().unwrap().spawned) {
                tasks.push(task);
            }
            woken.0.store(false, SeqCst);
            let stalled = tasks.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending();
            let idle = stalled && !woken.0.load(SeqCst) && self.0.lock().unwrap().spawned.is_empty();
            if idle && !ended.load(SeqCst) {
                let waker = {
                    let mut inner = self.0.lock().unwrap();
                    let ((due, _), waker) = inner.timers.pop_first().expect("a task waits for a timer");
                    inner.now = due;
                    waker
                };
                waker.wake();
            }
        }
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.result.poll_unpin(context).map(|done| done.expect("a task that was not aborted"))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.abort.abort();
    }
}
