//! Statements about lists: SQLite takes none as a parameter.

use crate::store::sql::Text;

/// A statement about a list, in a few lengths: so each is prepared once. A shorter list is filled up with its last item.
#[derive(Clone, Debug)]
pub(super) struct Lists([(usize, Text); LENGTHS.len()]);

impl Lists {
    pub(super) fn new(text: impl Fn(usize) -> String) -> Self {
        Self(LENGTHS.map(|length| (length, text(length).into())))
    }

    /// Cuts a list into pieces, each with its statement.
    pub(super) fn pieces<T: Copy>(&self, items: &[T]) -> Vec<(&Text, Vec<T>)> {
        let pieces = items.chunks(LONGEST).map(|piece| self.filled(piece));
        pieces.collect()
    }

    fn filled<T: Copy>(&self, piece: &[T]) -> (&Text, Vec<T>) {
        let fits = self.0.iter().find(|(length, _)| *length >= piece.len());
        let (length, text) = fits.expect("no piece is longer than the longest");
        let mut filled = piece.to_vec();
        if let Some(last) = piece.last() {
            filled.resize(*length, *last);
        }
        (text, filled)
    }
}

/// `(?, ?, …)`
pub(super) fn list(length: usize) -> String {
    format!("({})", vec!["?"; length].join(", "))
}

const LENGTHS: [usize; 4] = [1, 8, 64, LONGEST];
/// A page of a list of sessions.
const LONGEST: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_cut_and_filled_up_with_its_last_items() {
        let lists = Lists::new(|length| format!("IN {}", list(length)));
        let lengths = |count: usize| {
            let items: Vec<usize> = (0..count).collect();
            let pieces = lists.pieces(&items);
            for (text, piece) in &pieces {
                assert_eq!(text.matches('?').count(), piece.len());
            }
            let all: Vec<usize> = pieces.iter().flat_map(|(_, piece)| piece.clone()).collect();
            let mut distinct = all;
            distinct.dedup();
            assert_eq!(
                distinct, items,
                "in their order, and only the last more than once"
            );
            pieces
                .iter()
                .map(|(_, piece)| piece.len())
                .collect::<Vec<_>>()
        };
        for (count, cut) in [
            (0, vec![]),
            (1, vec![1]),
            (2, vec![8]),
            (8, vec![8]),
            (9, vec![64]),
            (65, vec![500]),
            (501, vec![500, 1]),
            (1_003, vec![500, 500, 8]),
        ] {
            assert_eq!(lengths(count), cut, "{count}");
        }
    }
}
