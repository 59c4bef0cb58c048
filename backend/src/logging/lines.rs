//! Where lines go: into memory, and from there to standard error by a thread of
//! its own. No request waits for the reader of the log, and the lines of one
//! moment leave in one write.

use std::{
    io::Write,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long lines gather before the next write. The first one after a silence
/// leaves at once.
const GATHER: Duration = Duration::from_millis(5);
/// Where the reader stalls: some nine thousand lines wait, and no more.
const MOST_WAITING: usize = 2 << 20;
/// What is kept for the next lines, in bytes.
const KEPT: usize = 64 << 10;
/// How long the end waits for a reader who stalls.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Takes lines, in order. Clones take them to the same place.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    came: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Lines that found no room since the last write.
    dropped: u64,
    /// The thread sleeps until a line comes.
    is_idle: bool,
    /// The thread has lines that are not written yet.
    is_writing: bool,
}

impl Lines {
    /// Writes them there.
    pub(super) fn to(place: impl Write + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let taken = shared.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&taken, place))
            .expect("the system gives a thread to the log");
        Self(shared)
    }

    /// One line, with its line break.
    fn add(&self, line: &[u8]) {
        let mut state = self.0.state();
        if state.waiting.len() + line.len() > MOST_WAITING {
            state.dropped += 1;
            return;
        }
        state.waiting.extend_from_slice(line);
        let sleeps = std::mem::take(&mut state.is_idle);
        drop(state);
        if sleeps {
            self.0.came.notify_one();
        }
    }

    /// Waits until all of them are written, but not for ever.
    pub(super) fn flush(&self) {
        let is_left = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let state = self.0.state();
        let waited = self.0.written.wait_timeout_while(state, LAST_WAIT, is_left);
        drop(waited);
    }
}

impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        self.add(lines);
        Ok(lines.len())
    }

    /// The end waits, and nobody else.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lines that wait, and how many found no room.
    fn take(&self, taken: &mut Vec<u8>) -> u64 {
        let mut state = self.state();
        while state.waiting.is_empty() {
            state.is_idle = true;
            state = self
                .came
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.is_idle = false;
        state.is_writing = true;
        std::mem::swap(&mut state.waiting, taken);
        std::mem::take(&mut state.dropped)
    }
}

fn write(shared: &Shared, mut place: impl Write) {
    let mut lines = Vec::new();
    loop {
        let dropped = shared.take(&mut lines);
        if dropped > 0 {
            // There is room now, and it comes before what is logged from here on.
            log::warn!(event = "log.dropped", lines = dropped; "the log was not read fast enough");
        }
        // Where it cannot be written there is nobody to tell.
        place.write_all(&lines).ok();
        lines.clear();
        lines.shrink_to(KEPT);
        shared.state().is_writing = false;
        shared.written.notify_all();
        std::thread::sleep(GATHER);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Tells that lines came, takes them once it may, and tells what it took.
    struct Reader {
        came: Sender<()>,
        leave: Receiver<()>,
        took: Sender<Vec<u8>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.came.send(()).ok();
            self.leave.recv().ok();
            self.took.send(bytes.to_vec()).ok();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines() -> (Lines, Receiver<()>, Sender<()>, Receiver<Vec<u8>>) {
        let ((came, comes), (leaves, leave), (took, taken)) = (channel(), channel(), channel());
        (
            Lines::to(Reader { came, leave, took }),
            comes,
            leaves,
            taken,
        )
    }

    #[test]
    fn all_lines_are_written_in_order_and_the_end_waits_for_them() {
        let (lines, _comes, leaves, taken) = lines();
        drop(leaves);
        let expected: String = (0..1_000).map(|index| format!("{index}\n")).collect();
        for line in expected.split_inclusive('\n') {
            lines.add(line.as_bytes());
        }
        lines.flush();
        let written: Vec<u8> = taken.try_iter().flatten().collect();
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn a_reader_who_stalls_holds_nobody_up_and_memory_has_a_bound() {
        let (lines, comes, leaves, taken) = lines();
        let line = vec![b'x'; 1024];
        // The thread has begun to write before it could take all of them at once.
        lines.add(&line);
        comes.recv().unwrap();
        for _ in 0..3 * MOST_WAITING / line.len() {
            lines.add(&line);
        }
        lines.flush();
        assert!(taken.try_iter().next().is_none());
        let state = lines.0.state();
        assert!(state.waiting.len() <= MOST_WAITING && state.dropped > 0);
        drop(state);
        drop(leaves);
        lines.flush();
        let written: usize = taken.try_iter().map(|bytes| bytes.len()).sum();
        assert!((MOST_WAITING..=2 * MOST_WAITING).contains(&written));
        // What comes now finds room again.
        lines.add(b"later\n");
        lines.flush();
        assert_eq!(taken.try_iter().last().unwrap(), b"later\n");
    }
}
