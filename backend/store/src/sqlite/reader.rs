//! The reading connection: short snapshots beside the writer.

use std::{sync::Arc, time::Duration};

use countersign_core::Key;
use countersign_platform::clock::Clock;
use rusqlite::Connection;

use super::{Error, file::File, snapshot, worker::Work};
use crate::store::Snapshot;

pub(super) struct Reader {
    connection: Connection,
    file: Arc<File>,
    clock: Arc<dyn Clock>,
}

impl Reader {
    pub(super) fn new(connection: Connection, file: Arc<File>, clock: Arc<dyn Clock>) -> Self {
        Self {
            connection,
            file,
            clock,
        }
    }

    pub(super) fn load(&mut self, keys: &[Key]) -> Result<Snapshot, Error> {
        self.file.check()?;
        // Rolled back when dropped.
        let transaction = self.connection.transaction()?;
        Ok(snapshot(&transaction, keys, &*self.clock)?)
    }

    pub(super) fn keys(&mut self) -> Result<Vec<Key>, Error> {
        self.file.check()?;
        let mut keys = self.connection.prepare("SELECT key FROM row")?;
        let keys = keys.query_map([], |row| Ok(Key::new(row.get_ref(0)?.as_str()?)))?;
        Ok(keys.collect::<Result<_, _>>()?)
    }
}

impl Work for Reader {
    fn maintain(&mut self) -> Duration {
        Duration::MAX
    }
}
