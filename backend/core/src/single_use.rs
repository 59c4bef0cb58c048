//! What may be used once: a proof that is consumed, the nonce of a callback.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Key, Row, Rows, Unreadable};

/// The row of what was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SingleUseRow {}

impl Row for SingleUseRow {
    const KIND: &'static str = "single_use";
}

/// Whether it was used before.
pub(crate) fn is_consumed(rows: &Rows<'_>, key: &Key) -> Result<bool, Unreadable> {
    Ok(rows.get::<SingleUseRow>(key)?.is_some())
}

/// Uses it; false when it was used before.
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
