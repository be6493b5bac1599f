use kv::TxId;

use crate::LedgerError;

const FIELD: &str = "view history";
/// A view takes four bytes in an IV, of which the top bit is a snapshot's.
const MAX_VIEW: u64 = (1 << 31) - 1;

/// Which view a transaction belongs to: the first transaction of each view that has any, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Views {
    firsts: Vec<TxId>,
}

impl Views {
    /// From the first transactions of views. One without transactions may be there too, with the first transaction of
    /// the next one that has any; what comes behind `last` is left out.
    pub(super) fn up_to(last: TxId, firsts: &[TxId]) -> Result<Self, LedgerError> {
        let mut views = Self::default();
        for first in firsts.iter().take_while(|first| first.seqno <= last.seqno) {
            views.push(*first)?;
        }
        views.check_last(last.seqno)?;
        if views.firsts.last().map(|first| first.view) != Some(last.view) {
            let shown = views.firsts.last().map_or_else(|| "nothing".into(), ToString::to_string);
            return Err(LedgerError::differs("last view in the view history", last.view, shown));
        }
        Ok(views)
    }

    /// Takes the first transaction of the next view.
    pub(super) fn push(&mut self, first: TxId) -> Result<(), LedgerError> {
        let before = self.firsts.last().copied().unwrap_or(TxId::new(0, 1));
        if first.view <= before.view || first.view > MAX_VIEW || first.seqno < before.seqno {
            return Err(LedgerError::differs(FIELD, format!("ascending behind {before}"), first));
        }
        if self.firsts.is_empty() && first.seqno != 1 {
            return Err(LedgerError::differs(FIELD, "a start with seqno 1", first));
        }
        if before.seqno == first.seqno {
            self.firsts.pop();
        }
        self.firsts.push(first);
        Ok(())
    }

    /// Checks that the history does not go beyond the last transaction.
    pub(super) fn check_last(&self, seqno: u64) -> Result<(), LedgerError> {
        match self.firsts.last() {
            Some(last) if last.seqno <= seqno => Ok(()),
            Some(last) => Err(LedgerError::differs(FIELD, format!("up to seqno {seqno}"), last)),
            None => Err(LedgerError::differs(FIELD, "at least one view", "nothing")),
        }
    }

    /// The transaction with its view.
    pub(super) fn of(&self, seqno: u64) -> Result<TxId, LedgerError> {
        let behind = self.firsts.partition_point(|first| first.seqno <= seqno);
        let first = behind.checked_sub(1).and_then(|at| self.firsts.get(at));
        let first = first.ok_or_else(|| LedgerError::differs(FIELD, "a view for every seqno", seqno))?;
        Ok(TxId::new(first.view, seqno))
    }

    /// CCF's form: the first seqno of views 1, 2, …; for one without transactions, that of the next one with any.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> {
        let before = [0].into_iter().chain(self.firsts.iter().map(|first| first.view));
        self.firsts.iter().zip(before).flat_map(|(first, before)| (before..first.view).map(|_| first.seqno))
    }

    pub(super) fn into_firsts(self) -> Vec<TxId> {
        self.firsts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(texts: &[&str]) -> Vec<TxId> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn views(firsts: &[&str], last: &str) -> Result<Views, LedgerError> {
        Views::up_to(last.parse().unwrap(), &ids(firsts))
    }

    #[test]
    fn with_and_without_views_that_have_no_transactions() {
        let short = views(&["2.1", "5.29"], "5.61").unwrap();
        assert_eq!(short, views(&["1.1", "2.1", "3.29", "4.29", "5.29", "6.62"], "5.61").unwrap());
        assert_eq!(short.starts().collect::<Vec<_>>(), [1, 1, 29, 29, 29]);
        let of = |seqno| short.of(seqno).unwrap().view;
        assert_eq!([1, 28, 29, 61].map(of), [2, 2, 5, 5]);
        assert!(short.of(0).is_err());
        assert_eq!(short.into_firsts(), ids(&["2.1", "5.29"]));
    }

    #[test]
    fn what_is_no_history_is_refused() {
        for (firsts, last) in [
            (&[][..], "2.5"),
            (&["2.2"], "2.5"),
            (&["2.1"], "3.5"),
            (&["3.1", "2.4"], "3.5"),
            (&["2.1", "2.4"], "2.5"),
            (&["2.3", "3.1"], "3.5"),
            (&["2147483648.1"], "2147483648.5"),
        ] {
            assert!(views(firsts, last).is_err(), "{firsts:?}");
        }
    }
}
