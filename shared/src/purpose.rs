//! The purpose of a verification.

use serde::{Deserialize, Serialize};

/// The purpose of a verification. The proof repeats it, so that a proof made for one
/// purpose is not accepted for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Creating an account.
    SignUp,
    /// Signing in to an existing account.
    SignIn,
    /// Changing the number of an account.
    ChangeNumber,
    /// Resetting a forgotten password.
    Reset,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [Self::SignUp, Self::SignIn, Self::ChangeNumber, Self::Reset];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignIn => "sign_in",
            Self::ChangeNumber => "change_number",
            Self::Reset => "reset",
        }
    }

    /// The purpose of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}
