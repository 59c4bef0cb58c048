//! Access list: the numbers, ranges, countries, addresses and networks that the operator
//! blocks or allows, each with a reason and an end.
//!
//! The most specific entry about a number counts: the number, the longest range, the
//! country; likewise for an address. A send is refused if either is blocked.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    net::IpAddr,
};

use countersign_shared::PhoneNumber;

use crate::{Millis, country::is_country, date};

/// The required first line.
const HEADER: &str = "access,what,until,reason";
/// Prefix bits that an IPv4 address gains as an IPv4-mapped IPv6 address.
const MAPPED_BITS: u8 = 96;

/// What an entry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// No code is sent.
    Block,
    /// Overrides broader entries that block. A number counts as known, and is accepted
    /// even if the metadata does not know it.
    Allow,
}

/// What is wrong with an access list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidAccessList {
    /// The first line is not the header.
    NoHeader,
    /// A line (1-based) that is not a valid entry.
    Line(usize),
}

impl fmt::Display for InvalidAccessList {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHeader => write!(formatter, "the first line must be {HEADER}"),
            Self::Line(line) => write!(
                formatter,
                "line {line} must be block or allow; a number, a range such as +14155550*, a country, \
                 an address or a network; the last day it holds, such as 2027-01-31; and a reason"
            ),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    access: Access,
    until: Millis,
}

/// The operator's access list.
#[derive(Clone, Debug, Default)]
pub struct AccessList {
    numbers: HashMap<Box<str>, Entry>,
    /// By their leading digits, `+` included.
    ranges: HashMap<Box<str>, Entry>,
    range_lengths: BTreeSet<usize>,
    countries: HashMap<Box<str>, Entry>,
    /// By prefix length and first address, all as IPv6.
    networks: HashMap<(u8, u128), Entry>,
    network_lengths: BTreeSet<u8>,
}

impl AccessList {
    /// Parses a list in CSV: the header, then one entry per line. Empty lines and lines
    /// that begin with `#` are ignored; of two entries about the same subject the later
    /// one counts.
    pub fn parse(text: &str) -> Result<Self, InvalidAccessList> {
        let text = text.trim_start_matches('\u{feff}');
        let mut lines = (1..)
            .zip(text.lines().map(str::trim))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        if lines.next().is_none_or(|(_, line)| line != HEADER) {
            return Err(InvalidAccessList::NoHeader);
        }
        let mut list = Self::default();
        for (number, line) in lines {
            list.add(line).ok_or(InvalidAccessList::Line(number))?;
        }
        Ok(list)
    }

    fn add(&mut self, line: &str) -> Option<()> {
        let mut words = line.splitn(4, ',').map(str::trim);
        let (access, what) = (words.next()?, words.next()?);
        let (until, reason) = (words.next()?, words.next()?);
        let access = match access {
            "block" => Access::Block,
            "allow" => Access::Allow,
            _ => return None,
        };
        if reason.is_empty() {
            return None;
        }
        let until = date::end_of(until)?;
        let entry = Entry { access, until };
        if let Some(digits) = what.strip_suffix('*') {
            let is_range = digits.strip_prefix('+').is_some_and(|digits| {
                (1..15).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit())
            });
            self.range_lengths.insert(digits.len());
            is_range.then(|| self.ranges.insert(digits.into(), entry))?;
        } else if what.starts_with('+') {
            let number = PhoneNumber::parse(what).ok()?;
            self.numbers.insert(number.as_str().into(), entry);
        } else if is_country(what) {
            self.countries.insert(what.into(), entry);
        } else {
            let (address, length) = what.split_once('/').unwrap_or((what, ""));
            let address: IpAddr = address.parse().ok()?;
            let (most, more) = if address.is_ipv4() {
                (32, MAPPED_BITS)
            } else {
                (128, 0)
            };
            let length = if length.is_empty() {
                most
            } else {
                length.parse().ok()?
            };
            if length > most {
                return None;
            }
            let length = length + more;
            self.network_lengths.insert(length);
            self.networks
                .insert((length, masked(bits(address), length)), entry);
        }
        Some(())
    }

    /// The entry in force for a number at `now`.
    pub fn of_number(&self, number: &PhoneNumber, country: &str, now: Millis) -> Option<Access> {
        let holds = |entry: Option<&Entry>| entry.filter(|it| it.until > now).map(|it| it.access);
        let number = number.as_str();
        holds(self.numbers.get(number))
            .or_else(|| self.of_range(number, now))
            .or_else(|| holds(self.countries.get(country)))
    }

    fn of_range(&self, number: &str, now: Millis) -> Option<Access> {
        let lengths = self.range_lengths.iter().rev();
        let ranges = lengths.filter_map(|length| self.ranges.get(number.get(..*length)?));
        let mut holding = ranges.filter(|entry| entry.until > now);
        holding.next().map(|entry| entry.access)
    }

    /// The entry in force for an address at `now`.
    pub fn of_address(&self, address: IpAddr, now: Millis) -> Option<Access> {
        let bits = bits(address);
        let lengths = self.network_lengths.iter().rev();
        let networks =
            lengths.filter_map(|length| self.networks.get(&(*length, masked(bits, *length))));
        let mut holding = networks.filter(|entry| entry.until > now);
        holding.next().map(|entry| entry.access)
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.numbers.len() + self.ranges.len() + self.countries.len() + self.networks.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn bits(address: IpAddr) -> u128 {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    address.to_bits()
}

fn masked(bits: u128, length: u8) -> u128 {
    let mask = u128::MAX.checked_shl(128 - u32::from(length));
    bits & mask.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write, time::Instant};

    use super::*;

    const NOW: Millis = Millis(1_764_000_000_000);

    fn list(entries: &str) -> AccessList {
        AccessList::parse(&format!("{HEADER}\n{entries}")).unwrap()
    }

    fn number(list: &AccessList, number: &str) -> Option<Access> {
        list.of_number(&PhoneNumber::parse(number).unwrap(), "US", NOW)
    }

    #[test]
    fn the_most_specific_entry_counts() {
        use Access::{Allow, Block};
        let list = list(
            "block,US,2027-01-31,too much\n\
             allow,+1415555*,2027-01-31,ours\n\
             block,+14155550100,2027-01-31,\"chargeback, twice\"\n\
             block,192.0.2.0/24,2027-01-31,bots\n\
             allow,192.0.2.7,2027-01-31,office\n\
             block,2001:db8::/32,2027-01-31,bots\n",
        );
        assert_eq!(list.len(), 6);
        assert_eq!(number(&list, "+14155550100"), Some(Block));
        assert_eq!(number(&list, "+14155550101"), Some(Allow));
        assert_eq!(number(&list, "+12125550101"), Some(Block));
        let address = |text: &str| list.of_address(text.parse().unwrap(), NOW);
        assert_eq!(address("192.0.2.8"), Some(Block));
        assert_eq!(address("::ffff:192.0.2.8"), Some(Block));
        assert_eq!(address("192.0.2.7"), Some(Allow));
        assert_eq!(address("192.0.3.7"), None);
        assert_eq!(address("2001:db8:1::1"), Some(Block));
        assert_eq!(address("2001:db9::1"), None);
    }

    #[test]
    fn an_entry_holds_through_its_last_day() {
        let list = list("block,+14155550100,2025-11-24,reason\n");
        let number = PhoneNumber::parse("+14155550100").unwrap();
        // 2025-11-24T16:00:00Z, and the next midnight.
        assert_eq!(list.of_number(&number, "US", NOW), Some(Access::Block));
        assert_eq!(
            list.of_number(&number, "US", Millis(1_764_028_800_000)),
            None
        );
    }

    #[test]
    fn a_mistake_is_named_by_its_line() {
        for entry in [
            "deny,+14155550100,2027-01-31,reason",
            "block,4155550100,2027-01-31,reason",
            "block,+*,2027-01-31,reason",
            "block,UK,2027-01-31,reason",
            "block,192.0.2.0/33,2027-01-31,reason",
            "block,+14155550100,2027-02-30,reason",
            "block,+14155550100,,reason",
            "block,+14155550100,2027-01-31,",
            "block,+14155550100,2027-01-31",
        ] {
            let text = format!("{HEADER}\n\n{entry}");
            let read = AccessList::parse(&text).map(drop);
            assert_eq!(read, Err(InvalidAccessList::Line(3)), "{entry}");
        }
        assert_eq!(
            AccessList::parse("").map(drop),
            Err(InvalidAccessList::NoHeader)
        );
    }

    #[test]
    fn a_hundred_thousand_entries_are_searched_quickly() {
        let mut text = format!("{HEADER}\n");
        for index in 0..25_000 {
            writeln!(text, "block,+1415{index:07},2027-01-31,r").unwrap();
            writeln!(text, "block,+44{index:06}*,2027-01-31,r").unwrap();
            writeln!(
                text,
                "block,10.{}.{}.7,2027-01-31,r",
                index / 256,
                index % 256
            )
            .unwrap();
            writeln!(text, "block,2001:db8:{index:x}::/48,2027-01-31,r").unwrap();
        }
        let started = Instant::now();
        let list = AccessList::parse(&text).unwrap();
        assert_eq!(list.len(), 100_000);
        let number = PhoneNumber::parse("+447700900123").unwrap();
        for _ in 0..10_000 {
            assert_eq!(list.of_number(&number, "GB", NOW), None);
            assert_eq!(list.of_address([192, 0, 2, 1].into(), NOW), None);
        }
        // Debug builds on busy machines are slow; a linear scan would take minutes.
        assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    }
}
