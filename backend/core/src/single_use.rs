//! Single use: proofs that are consumed, and nonces of callbacks.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Key, Row, Rows, Unreadable};

/// The row of something that was consumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SingleUseRow {}

impl Row for SingleUseRow {
    const KIND: &'static str = "single_use";
}

/// Whether it was consumed before.
pub(crate) fn is_consumed(rows: &Rows<'_>, key: &Key) -> Result<bool, Unreadable> {
    Ok(rows.get::<SingleUseRow>(key)?.is_some())
}

/// Consumes it; false if it was consumed before.
pub(crate) fn consume(
    rows: &mut Rows<'_>,
    key: &Key,
    kept_for: Duration,
) -> Result<bool, Unreadable> {
    let is_first = !is_consumed(rows, key)?;
    if is_first {
        let expires_at = rows.now().after(kept_for);
        rows.put(key, &SingleUseRow {}, expires_at);
    }
    Ok(is_first)
}
