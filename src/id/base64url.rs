//! Unpadded base64url (RFC 4648 section 5) of 24 bytes, as big-endian words.

/// Writes 24 bytes, as big-endian words, in unpadded base64url (RFC 4648 section 5).
pub(super) fn encode([first, second, third]: [u64; 3]) -> [u8; BLOCK_CHARS] {
    let groups = [
        first >> 40,
        first >> 16,
        first << 8 | second >> 56,
        second >> 32,
        second >> 8,
        second << 16 | third >> 48,
        third >> 24,
        third,
    ];
    let mut text = [0; BLOCK_CHARS];
    let (quads, _) = text.as_chunks_mut();
    // Four characters at a time, so that no shift is computed, wherever this is compiled.
    for (quad, group) in quads.iter_mut().zip(groups) {
        *quad = [18, 12, 6, 0].map(|shift| ALPHABET[(group >> shift) as usize & 63]);
    }
    text
}

/// Reads 24 bytes of unpadded base64url; `None` for a foreign character.
///
/// There is neither a branch nor a look-up on what the text says: a foreign character is found out at the end.
pub(super) fn decode(text: &[u8; BLOCK_CHARS]) -> Option<[u64; 3]> {
    let (mut values, mut known) = ([0; BLOCK_CHARS], [0; BLOCK_CHARS]);
    // Two plain arrays, so that the compiler takes sixteen characters at a time.
    for index in 0..BLOCK_CHARS {
        (values[index], known[index]) = value_of(text[index]);
    }
    let (octets, _) = values.as_chunks();
    let [a, b, c, d] = std::array::from_fn(|index| pack(u64::from_be_bytes(octets[index])));
    let words = [a << 16 | b >> 32, b << 32 | c >> 16, c << 48 | d];
    let is_foreign = known.contains(&0);
    (!is_foreign).then_some(words)
}

/// Returns the six bits that a character stands for, and whether it stands for any: all bits, or none.
#[inline]
const fn value_of(char: u8) -> (u8, u8) {
    let upper = between(char, b'A', b'Z');
    let lower = between(char, b'a', b'z');
    let digit = between(char, b'0', b'9');
    let (dash, line) = (between(char, b'-', b'-'), between(char, b'_', b'_'));
    let value = char.wrapping_sub(b'A') & upper
        | char.wrapping_sub(b'a' - 26) & lower
        | char.wrapping_add(52 - b'0') & digit
        | 62 & dash
        | 63 & line;
    (value, upper | lower | digit | dash | line)
}

#[inline]
const fn between(char: u8, first: u8, last: u8) -> u8 {
    0_u8.wrapping_sub((char.wrapping_sub(first) <= last - first) as u8)
}

/// Moves eight times six bits together.
const fn pack(octet: u64) -> u64 {
    let pairs = (octet & 0x3f00_3f00_3f00_3f00) >> 2 | octet & 0x003f_003f_003f_003f;
    let quads = (pairs & 0x0fff_0000_0fff_0000) >> 4 | pairs & 0x0000_0fff_0000_0fff;
    (quads >> 32) << 24 | quads & 0xff_ffff
}

pub(super) const ALPHABET: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The character that stands for zero bits.
pub(super) const ZERO: u8 = ALPHABET[0];

/// How many characters are read and written at once: 24 bytes fill them.
pub(super) const BLOCK_CHARS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_stands_for_its_place_in_the_alphabet_and_no_other_stands_for_anything() {
        for char in 0..=u8::MAX {
            let place = ALPHABET.iter().position(|known| *known == char);
            let expected = place.map_or((0, 0), |place| (place as u8, u8::MAX));
            assert_eq!(value_of(char), expected, "{char}");
        }
    }
}
