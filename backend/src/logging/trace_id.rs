//! The trace id of W3C Trace Context, by which tracing tools follow a request across
//! services.

/// The trace id in a `traceparent` header; none if it is malformed, so that nobody can
/// write anything else into the log.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let (version, trace, parent, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may add parts; this one has none.
    let ends_here = version != "00" || parts.next().is_none();
    let fits = version != "ff"
        && is_hexadecimal(version, 2)
        && is_hexadecimal(trace, 32)
        && is_hexadecimal(parent, 16)
        && is_hexadecimal(flags, 2);
    let is_set = [trace, parent]
        .iter()
        .all(|id| id.bytes().any(|digit| digit != b'0'));
    (fits && is_set && ends_here).then_some(trace)
}

fn is_hexadecimal(text: &str, length: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == length && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_one_is_read() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let given = format!("00-{trace}-00f067aa0ba902b7-01");
        assert_eq!(trace_id(&given), Some(trace));
        assert_eq!(trace_id(&format!("cc{}-what", &given[2..])), Some(trace));
        for wrong in [
            String::new(),
            given.to_uppercase(),
            given.replace("00-4", "ff-4"),
            given.replace(trace, &"0".repeat(32)),
            given.replace("00f067aa0ba902b7", &"0".repeat(16)),
            given.replace(trace, "4bf9"),
            given.replace(trace, &"\n".repeat(32)),
            format!("{given}-more"),
            given[..52].to_owned(),
        ] {
            assert_eq!(trace_id(&wrong), None, "{wrong:?}");
        }
    }
}
