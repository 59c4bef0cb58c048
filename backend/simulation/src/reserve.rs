//! The reserve of a country's known numbers, replayed from the list of sends.

use countersign_core::Quota;

use crate::{checker::Checker, expected::room_at, usage::OneUse};

impl Checker {
    /// When the country has room for one more, and its reserve; `None` if that is unclear.
    /// A send to a known number is counted in the reserve if the country is full and the
    /// reserve has room earlier.
    pub(crate) fn room_in_country(&self, uses: &[OneUse], now: u64) -> Option<(u64, u64)> {
        let quotas = &self.limits.sends_per_country;
        let half = |quota: &Quota| {
            let count = (quota.count.get() / 2).try_into().ok()?;
            Some(Quota { count, ..*quota })
        };
        let halves: Option<Vec<Quota>> = quotas.iter().map(half).collect();
        let mut uses = uses.to_vec();
        uses.sort_by_key(|it| it.at);
        let is_ordered = uses.windows(2).all(|pair| pair[0].at < pair[1].at);
        if !is_ordered || self.released > 0 {
            return None;
        }
        let mut counted: [Vec<OneUse>; 2] = Default::default();
        let rooms = |counted: &[Vec<OneUse>; 2], at: u64| {
            let country = room_at(&counted[0], quotas, at);
            let reserve = halves
                .as_ref()
                .map(|halves| room_at(&counted[1], halves, at));
            (country, reserve.unwrap_or(country).min(country))
        };
        for one in uses {
            let (country, best) = rooms(&counted, one.at);
            let is_reserved = one.is_known && best < country;
            counted[usize::from(is_reserved)].push(one);
        }
        Some(rooms(&counted, now))
    }
}
