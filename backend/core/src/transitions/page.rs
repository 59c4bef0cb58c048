//! A page for a number that an application's server supplies: what is to be sent is
//! stored until the person presses the button, once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Key, Millis, Row, Rows, Sealed, SessionOver, Transition, Unreadable};

/// The row of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PageRow {
    /// What is to be sent, sealed with the page's id.
    content: Sealed,
    /// Until when the button may be pressed.
    until: Millis,
    /// When it was pressed, which works once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pressed_at: Option<Millis>,
}

impl Row for PageRow {
    const KIND: &'static str = "page";
}

impl PageRow {
    /// Whether the button of the page may be pressed.
    pub(crate) fn may_press(rows: &Rows<'_>, key: &Key) -> Result<bool, Unreadable> {
        let row = rows.get::<Self>(key)?;
        Ok(row.is_some_and(|row| row.pressed_at.is_none() && row.until > rows.now()))
    }

    /// Marks the button as pressed, or undoes that.
    pub(crate) fn press(
        rows: &mut Rows<'_>,
        key: &Key,
        is_pressed: bool,
    ) -> Result<(), Unreadable> {
        let Some(mut row) = rows.get::<Self>(key)? else {
            return Ok(());
        };
        row.pressed_at = is_pressed.then(|| rows.now());
        // Kept no longer than before, so that a reload still shows the page.
        rows.put(key, &row, row.until.after(KEPT_LONGER));
        Ok(())
    }
}

/// How long a page is still shown after the button expires: as long as a session lives,
/// so that a reload finds it.
const KEPT_LONGER: Duration = Duration::from_mins(15);

/// Stores what a page is to send.
pub struct BeginPage {
    /// Its row.
    pub page: Key,
    /// What is to be sent, sealed with the page's id.
    pub content: Sealed,
    /// How long the button may be pressed.
    pub lifetime: Duration,
}

impl Transition for BeginPage {
    /// Until when the button may be pressed.
    type Outcome = Millis;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.page.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Millis, Unreadable> {
        let until = rows.now().after(self.lifetime);
        let row = PageRow {
            content: self.content.clone(),
            until,
            pressed_at: None,
        };
        rows.put(&self.page, &row, until.after(KEPT_LONGER));
        Ok(until)
    }
}

/// Reads what a page is to send.
pub struct ViewPage {
    /// Its row.
    pub page: Key,
}

impl Transition for ViewPage {
    type Outcome = Result<Sealed, SessionOver>;

    fn keys(&self, _: &Rows<'_>) -> Result<Vec<Key>, Unreadable> {
        Ok(vec![self.page.clone()])
    }

    fn apply(&self, rows: &mut Rows<'_>) -> Result<Self::Outcome, Unreadable> {
        let row = rows.get::<PageRow>(&self.page)?;
        Ok(row.map(|row| row.content).ok_or(SessionOver::NotFound))
    }
}
