//! What an operator is told who frees a number or has it forgotten: whether anything was
//! stored about it.

use countersign_core::{
    keys,
    transitions::{FreeNumber, Reserved},
};
use countersign_shared::Channel;

use crate::{border::number_key, world::World};

impl World {
    /// At the end of a schedule.
    pub(crate) fn check_what_is_freed(&mut self) {
        let number = self.random.index(self.settings.numbers);
        let rules = self.settings.rules.clone();
        let step = |forget: bool| FreeNumber {
            number: number_key(number),
            forget,
            rules: rules.clone(),
        };
        let (now, rows) = (self.clock_now(), self.store.rows());
        let is_there = |name: String| {
            let row = rows.get(&countersign_core::Key::new(&name));
            row.is_some_and(|row| row.expires_at > now)
        };
        let is_known = is_there(format!("known/{number}"));
        let is_stored = is_there(format!("number/{number}"));
        let told = [false, true].map(|forget| self.read(&step(forget)));
        let is_right = told[1] == (told[0] || is_known) && (is_stored || !told[0]);
        self.checker.require(is_right, || {
            format!(
                "{number} is freed, forgotten: {told:?}, stored: {is_stored}, known: {is_known}"
            )
        });
        let told = [true, true, false].map(|forget| self.execute(&step(forget)));
        let known = countersign_core::Key::new(&format!("known/{number}"));
        let is_known = self.store.rows().contains_key(&known);
        let is_left = told[1] || told[2] || is_known;
        self.checker.require(!is_left, || {
            format!("{number} is forgotten, and something is stored: {told:?}")
        });
        let session = format!("freed{}", self.name());
        let send = self
            .settings
            .send(&session, (number, 0), Channel::Sms, None);
        if let Reserved::Reserved(_) = self.execute(&send) {
            let is_freed = self.execute(&step(false));
            let is_kept = self.store.rows().contains_key(&keys::session(&session));
            self.checker.require(is_freed && is_kept, || {
                format!("{number} has a send, and is freed: {is_freed}")
            });
        }
    }
}
