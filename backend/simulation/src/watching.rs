//! People who watch the deliveries of a session; one of them polls Plivo for all.

use countersign_core::{
    AttemptUpdate, Charges, MicroDollars, Millis, UpstreamAttempt,
    transitions::{PollTurn, RecordAttempts, ViewSession},
};
use countersign_shared::{Channel, session::AttemptStatus};
use countersign_store::StoreError;

use crate::{
    border::opened,
    outcome::Outcome,
    request::{Phase, Work},
    settings::{CHARGE, VALIDATION_CHARGE},
    turns::INTERVAL,
    world::World,
};

impl World {
    /// A person watches the deliveries, and Plivo is polled if it is their turn.
    pub(crate) fn watch(&mut self, person: usize) {
        let Some((session, _)) = self.known_session(person) else {
            return;
        };
        let view = ViewSession {
            session: countersign_core::keys::session(&session),
        };
        let Ok(seen) = self.read(&view) else { return };
        let step = PollTurn {
            upstream: seen.upstream.key.clone(),
            interval: INTERVAL,
            rules: self.settings.rules.clone(),
        };
        let now = self.clock_now();
        let work = Work::Watch(session, opened(&seen.upstream.id), now);
        let id = self.admit(None, work, Phase::Only);
        self.submit(id, step, Outcome::Polled);
    }

    pub(crate) fn watched(
        &mut self,
        session: &str,
        plivo: &str,
        since: Millis,
        answer: Result<Outcome, StoreError>,
    ) {
        let is_turn = matches!(answer, Ok(Outcome::Polled(poll)) if poll.is_turn);
        let now = self.clock_now();
        if is_turn {
            self.checker.turn_taken(plivo, since, now);
        }
        let Some(truth) = self.plivo.find(plivo).filter(|_| is_turn) else {
            return;
        };
        let has_prices = self.random.percent(80);
        let attempts: Vec<Channel> = truth.attempts.iter().map(|it| it.channel).collect();
        let validation = if truth.is_verified {
            VALIDATION_CHARGE
        } else {
            0
        };
        // Charges appear attempt by attempt.
        let priced = if has_prices {
            self.random.index(attempts.len() + 1)
        } else {
            0
        };
        let price = |index: usize| MicroDollars(if index < priced { CHARGE } else { 0 });
        let charges = Charges {
            attempts: attempts
                .iter()
                .enumerate()
                .map(|(index, it)| (*it, price(index)))
                .collect(),
            validation: MicroDollars(validation),
        };
        let update = |(index, channel): (usize, &Channel)| AttemptUpdate {
            index,
            attempt: UpstreamAttempt {
                channel: *channel,
                status: AttemptStatus::Sent,
                reason: None,
            },
        };
        let upstream = countersign_core::keys::upstream(plivo);
        let learned = RecordAttempts {
            upstream: upstream.clone(),
            updates: attempts.iter().enumerate().map(update).collect(),
            rules: self.settings.rules.clone(),
        };
        let work = || Work::Watch(session.to_owned(), plivo.to_owned(), now);
        let id = self.admit(None, work(), Phase::Only);
        self.checker.attempts.polls(id, attempts.len());
        self.submit(id, learned, Outcome::Attempts);
        let caller = self.checker.sessions.caller_of(session);
        let step = self.settings.charges(session, caller, &upstream, charges);
        let id = self.admit(None, work(), Phase::Only);
        self.submit(id, step, Outcome::Charged);
    }
}
