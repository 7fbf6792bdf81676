//! The queue: one thread runs the calls of JavaScript in order, and kernels use the whole thread pool that it belongs to. A panic
//! fails the queue: later kernels are skipped, and every later question returns the error.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

/// The first failure, if any.
type Failure = Option<String>;
type Command = Box<dyn FnOnce(&mut Failure) + Send>;

/// None once it has ended.
pub struct Queue(Option<Sender<Command>>);

impl Queue {
    /// Starts `threads` threads, which end and drop `kept` once the queue is dropped and everything in it is done.
    pub fn start(threads: usize, kept: impl Send + 'static) -> Result<Self, String> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("foldin-{index}"))
            .build()
            .map_err(|error| format!("could not start {threads} threads: {error}"))?;
        let (sender, receiver) = channel();
        pool.spawn(move || {
            run(receiver);
            drop(kept);
        });
        Ok(Self(Some(sender)))
    }

    /// Queues a kernel.
    pub fn kernel(&self, name: &'static str, work: impl FnOnce() + Send + 'static) {
        self.send(move |failure| {
            if failure.is_none() {
                *failure = guarded(name, work).err();
            }
        });
    }

    /// Queues a question: `answer` gets the result of `work`, or an earlier failure.
    pub fn ask<T>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
        answer: impl FnOnce(Result<T, String>) + Send + 'static,
    ) {
        self.send(move |failure| {
            let result = match failure {
                Some(message) => Err(message.clone()),
                None => guarded(name, work),
            };
            if let Err(message) = &result {
                failure.get_or_insert_with(|| message.clone());
            }
            answer(result);
        });
    }

    /// Queues work that also runs after a failure.
    pub fn always(&self, work: impl FnOnce() + Send + 'static) {
        self.send(move |_| work());
    }

    /// Nothing may be queued afterwards.
    pub fn end(&mut self) {
        self.0 = None;
    }

    fn send(&self, command: impl FnOnce(&mut Failure) + Send + 'static) {
        // The receiver lives as long as the sender.
        if let Some(sender) = &self.0 {
            let _ = sender.send(Box::new(command));
        }
    }
}

/// How long the queue's thread spins for the next command before it sleeps: JavaScript takes a few microseconds between two kernels
/// of a history's scores, and waking a thread takes longer.
const WAKEFUL: Duration = Duration::from_micros(50);

fn run(commands: Receiver<Command>) {
    let mut failure = None;
    while let Some(command) = next(&commands) {
        command(&mut failure);
    }
}

/// None when all senders are gone.
fn next(commands: &Receiver<Command>) -> Option<Command> {
    let since = Instant::now();
    loop {
        match commands.try_recv() {
            Ok(command) => return Some(command),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) if since.elapsed() < WAKEFUL => std::hint::spin_loop(),
            Err(TryRecvError::Empty) => return commands.recv().ok(),
        }
    }
}

fn guarded<T>(name: &str, work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| format!("{name} failed in the native engine: {}", text(&*panic)))
}

fn text(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().map(ToString::to_string);
    message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown".into())
}
