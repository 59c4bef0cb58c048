//! Random ids and codes.

/// A UUID of version 4.
pub(crate) fn uuid() -> String {
    let mut bytes: [u8; 16] = fill();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// That many decimal digits.
pub(crate) fn digits(count: usize) -> String {
    let bytes: [u8; 32] = fill();
    bytes
        .iter()
        .take(count)
        // A slight bias towards low digits does no harm to a pretend code.
        .map(|byte| char::from(b'0' + byte % 10))
        .collect()
}

fn fill<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
