//! Which limits a step claims, and whose.

use std::time::Duration;

use countersign_shared::Channel;

use super::{Refusal, Verification, recipient::Recipient};
use crate::{
    client_ip::Caller,
    clock::whole_seconds_up,
    config::Quota,
    metrics::Rule,
    store::{CheckTerms, Claim, Limit, Place, SendTerms, Wait},
};

/// A site's /48 holds many subscribers: it may do that many times what one may.
const SITE: u32 = 4;
/// Fraud walks through ranges: what is left of a number without these digits is
/// one.
const RANGE_DIGITS: usize = 4;

impl Verification {
    /// What one more code to this number is held against, first or again.
    pub(super) fn send_terms(
        &self,
        caller: &Caller,
        recipient: &Recipient,
        channel: Channel,
    ) -> SendTerms {
        let limits = &self.limits;
        let number = recipient.number.as_str();
        let prefix = prefix(number);
        let mut claims = vec![
            claim(Limit::SendsPerNumber, number, &limits.sends_per_number),
            claim(Limit::SendsPerPrefix, prefix, &limits.sends_per_prefix),
            claim(
                Limit::SendsPerCountry,
                &recipient.country,
                &limits.sends_per_country,
            ),
            claim(Limit::SendsTotal, "", &limits.sends_total),
        ];
        if channel == Channel::Voice {
            claims.push(claim(
                Limit::VoicePerNumber,
                number,
                &limits.voice_per_number,
            ));
        }
        claims.extend(of_caller(
            Limit::SendsPerAddress,
            caller,
            &limits.sends_per_address,
        ));
        claims.extend(
            of_caller(
                Limit::NumbersPerAddress,
                caller,
                &limits.numbers_per_address,
            )
            .map(|claim| Claim {
                different: Some(number.to_owned()),
                ..claim
            }),
        );
        claims.extend(self.spend_claim(&recipient.country, channel));
        claims.retain(|claim| !claim.quotas.is_empty());
        SendTerms {
            claims,
            place: Place {
                country: recipient.country.clone(),
                prefix: prefix.to_owned(),
            },
        }
    }

    /// What one try at a code uses up. It counts as wrong until Plivo says that
    /// it is right, so that tries at the same moment cannot outrun the count.
    pub(super) fn check_terms(&self, caller: &Caller) -> CheckTerms {
        let limits = &self.limits;
        let of_caller = of_caller(Limit::ChecksPerAddress, caller, &limits.checks_per_address);
        CheckTerms {
            wrong_per_number: limits.wrong_checks_per_number.clone(),
            claims: of_caller.filter(|claim| !claim.quotas.is_empty()).collect(),
        }
    }

    /// One log line for a step that has to wait, with the rule and without the
    /// whom.
    pub(super) fn must_wait(&self, wait: &Wait) -> Refusal {
        let rule = wait.limit.map_or(Rule::ResendWaits, Rule::Limit);
        self.metrics.refused(rule);
        log::warn!(event = "limit.reached", limit = rule.as_str(); "a step has to wait");
        Refusal::RateLimited {
            rule,
            retry_after: match wait.limit {
                // To the second it would say when the money or the range is free.
                Some(Limit::Spend | Limit::ConversionPerCountry | Limit::ConversionPerPrefix) => {
                    whole_minutes_up(wait.retry_after)
                }
                _ => wait.retry_after,
            },
        }
    }
}

/// The range that a number is in.
pub(super) fn prefix(number: &str) -> &str {
    &number[..number.len() - RANGE_DIGITS]
}

fn whole_minutes_up(duration: Duration) -> Duration {
    Duration::from_mins(whole_seconds_up(duration).div_ceil(60))
}

fn claim(limit: Limit, subject: &str, quotas: &[Quota]) -> Claim {
    Claim {
        limit,
        subject: subject.to_owned(),
        quotas: quotas.to_vec(),
        different: None,
        amount: 1,
    }
}

fn of_caller(
    limit: Limit,
    caller: &Caller,
    quotas: &[Quota],
) -> impl Iterator<Item = Claim> + use<> {
    let site = caller.site.map(|site| {
        let quotas: Vec<Quota> = quotas.iter().map(|quota| quota.times(SITE)).collect();
        claim(limit, &site.to_string(), &quotas)
    });
    [claim(limit, &caller.key.to_string(), quotas)]
        .into_iter()
        .chain(site)
}
