//! Runs of the service's processes: the current run of each instance, and the process
//! whose simulator holds the codes of a sandbox.

use serde::{Deserialize, Serialize};

use crate::{Millis, Row};

/// A run that has started. The row is deleted when the run ends properly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunRow {
    pub(crate) began_at: Millis,
}

impl Row for RunRow {
    const KIND: &'static str = "run";
}

/// The process whose simulator holds the codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SimulatorRow {
    pub(crate) owner: String,
}

impl Row for SimulatorRow {
    const KIND: &'static str = "simulator";
}
