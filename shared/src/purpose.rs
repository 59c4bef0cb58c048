//! What a verification is for.

use serde::{Deserialize, Serialize};

/// What a verification is for. The proof repeats it, so that one that was made for one
/// purpose is not taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A new account.
    SignUp,
    /// An account that there is.
    SignIn,
    /// Another number for an account.
    ChangeNumber,
    /// A password that was forgotten.
    Reset,
}

impl Purpose {
    /// Every one there is.
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
