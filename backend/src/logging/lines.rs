//! The log writer: lines go into a bounded queue, and a thread writes them to standard
//! error. No request waits for a slow reader of the log, and lines of the same moment are
//! written at once.

use std::{
    io::Write,
    iter,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::{Duration, Instant},
};

/// Queue length; some two megabytes.
const MAX_WAITING: usize = 8192;
/// Interval between writes. The first line after a silence is written at once.
const GATHER_TIME: Duration = Duration::from_millis(5);
/// Timeout for a stalled reader at shutdown.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

enum Message {
    /// A line with its line break.
    Line(Vec<u8>),
    /// A flush: somebody waits until earlier lines are written.
    Flush(SyncSender<()>),
}

/// Enqueues lines in order. Clones share the queue.
#[derive(Clone)]
pub(super) struct Lines {
    queue: SyncSender<Message>,
    /// Lines dropped since the last write.
    dropped: Arc<AtomicU64>,
}

impl Lines {
    /// Starts the thread that writes to the output.
    pub(super) fn to(place: impl Write + Send + 'static) -> Self {
        let (queue, waiting) = sync_channel(MAX_WAITING);
        let dropped = Arc::<AtomicU64>::default();
        let counted = dropped.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write(&waiting, &counted, place))
            .expect("the system gives a thread to the log");
        Self { queue, dropped }
    }

    fn add(&self, line: &[u8]) {
        if self.queue.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Flushes the queue, with a timeout.
    pub(super) fn flush(&self) {
        let until = Instant::now() + FLUSH_TIMEOUT;
        let (done, written) = sync_channel(1);
        while self.queue.try_send(Message::Flush(done.clone())).is_err() {
            if Instant::now() >= until {
                return;
            }
            std::thread::sleep(GATHER_TIME);
        }
        let left = until.saturating_duration_since(Instant::now());
        written.recv_timeout(left).ok();
    }
}

impl Write for Lines {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        self.add(lines);
        Ok(lines.len())
    }

    /// Only shutdown blocks here.
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write(waiting: &Receiver<Message>, dropped: &AtomicU64, mut place: impl Write) {
    while let Ok(first) = waiting.recv() {
        let (mut lines, mut flushes) = (Vec::new(), Vec::new());
        for message in iter::once(first).chain(waiting.try_iter().take(MAX_WAITING)) {
            match message {
                Message::Line(line) => lines.extend(line),
                Message::Flush(done) => flushes.push(done),
            }
        }
        let dropped = dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            // The queue has room now.
            log::warn!(event = "log.dropped", lines = dropped; "the log was not read fast enough");
        }
        // If it cannot be written there is nobody to tell.
        place.write_all(&lines).ok();
        for done in flushes {
            done.send(()).ok();
        }
        std::thread::sleep(GATHER_TIME);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

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
        let line = vec![b'x'; 128];
        // The thread has begun to write before it could take all of them at once.
        lines.add(&line);
        comes.recv().unwrap();
        for _ in 0..3 * MAX_WAITING {
            lines.add(&line);
        }
        let started = Instant::now();
        lines.flush();
        assert!(started.elapsed() >= FLUSH_TIMEOUT);
        assert!(taken.try_iter().next().is_none());
        let dropped = lines.dropped.load(Ordering::Relaxed);
        assert_eq!(dropped, 2 * u64::try_from(MAX_WAITING).unwrap());
        drop(leaves);
        lines.flush();
        let written: usize = taken.try_iter().map(|bytes| bytes.len()).sum();
        assert_eq!(written, (MAX_WAITING + 1) * line.len());
        // The queue has room again.
        lines.add(b"later\n");
        lines.flush();
        assert_eq!(taken.try_iter().last().unwrap(), b"later\n");
    }
}
