//! Times as stores keep them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, by the store's clock; or a length in milliseconds.
pub(super) type Millis = u64;

pub(super) fn millis(time: SystemTime) -> Millis {
    length(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn length(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

pub(super) fn time(at: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at)
}
