use super::*;

fn history() -> History {
    let mut history = History::default();
    history.starts_chunk();
    for (view, offset) in [(2, 8), (2, 100), (4, 200)] {
        history.entry(view, offset, [1; 32]);
    }
    history.signed();
    history.starts_chunk();
    history.entry(4, 8, [2; 32]);
    history
}

/// The same transactions, of which the first three lie before a snapshot.
fn behind() -> History {
    let mut tree = Tree::new();
    (0..3).for_each(|_| tree.append([1; 32]));
    let mut history = History::behind(history().view_history(), tree);
    history.entry(4, 8, [2; 32]);
    history
}

fn location(history: &History, seqno: u64) -> Option<(u64, u64)> {
    history.place(seqno).unwrap().map(|place| (place.chunk, place.offset))
}

#[test]
fn finds_entries_views_and_signatures() {
    let history = history();
    assert_eq!(location(&history, 2), Some((1, 100)));
    assert_eq!(location(&history, 4), Some((4, 8)));
    assert_eq!((location(&history, 0), location(&history, 5)), (None, None));
    assert_eq!(history.place(4).unwrap().unwrap().leaf, [2; 32]);
    assert_eq!([1, 2, 3, 4].map(|seqno| history.view_of(seqno)), [Some(2), Some(2), Some(4), Some(4)]);
    assert_eq!((history.view_of(0), history.view_of(5)), (None, None));
    let signatures = [1, 3, 4, 5].map(|seqno| history.signature_for(seqno).unwrap());
    assert_eq!((signatures, history.last_signature()), ([Some(3), Some(3), None, None], 3));
}

#[test]
fn skipped_views_repeat_the_next_start() {
    let shown = |history: &History| history.view_history().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shown(&history()), ["1.1", "2.1", "3.3", "4.3"]);
    assert_eq!(shown(&behind()), ["1.1", "2.1", "3.3", "4.3"]);
}

#[test]
fn behind_a_snapshot_the_past_is_missing_and_the_rest_is_there() {
    let (whole, history) = (history(), behind());
    assert_eq!((history.tree().root(), history.last_seqno()), (whole.tree().root(), 4));
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(|seqno| history.view_of(seqno)),
        [0, 1, 2, 3, 4, 5].map(|seqno| whole.view_of(seqno))
    );
    assert_eq!((location(&history, 4), history.last_signature()), (Some((4, 8)), 3));
    let missing = Missing::Indexing(Progress { done: 0, total: 3 });
    assert_eq!((history.place(3), history.signature_for(2)), (Err(missing.clone()), Err(missing.clone())));
    assert_eq!(history.writes_to("m", b"k", &all(1, 4)), Err(missing));
    assert_eq!(history.writes_to("m", b"k", &all(4, 4)), Ok(vec![]));
}

#[test]
fn the_past_is_put_before_what_is_known() {
    let (whole, mut history) = (history(), behind());
    assert_eq!(
        history.gap(),
        Some((3, {
            let mut tree = Tree::new();
            (0..3).for_each(|_| tree.append([1; 32]));
            tree.root()
        }))
    );
    history.progress(2);
    assert_eq!(history.place(1), Err(Missing::Indexing(Progress { done: 2, total: 3 })));
    assert_eq!(history.known(), Known { transactions: 3, missing: 1, unreadable: false });
    history.give_up("ledger_1-3.committed");
    assert_eq!(history.place(1), Err(Missing::Unreadable("ledger_1-3.committed".into())));
    assert_eq!(history.known(), Known { transactions: 1, missing: 3, unreadable: true });
    history.fill(whole.complete.clone());
    assert_eq!(history.known(), Known { transactions: 4, missing: 0, unreadable: false });
    for seqno in 0..6 {
        assert_eq!(history.place(seqno), whole.place(seqno), "{seqno}");
        assert_eq!(history.signature_for(seqno), whole.signature_for(seqno), "{seqno}");
    }
}

fn all(from: u64, to: u64) -> Range {
    Range { from, to, at_most: 10, order: Order::OldestFirst }
}

/// A key that is written by every third transaction, in chunks of seven.
fn written() -> History {
    let mut history = History::default();
    for seqno in 1..=50 {
        if seqno % 7 == 1 {
            history.starts_chunk();
        }
        history.entry(2, 8 * seqno, [0; 32]);
        if seqno % 3 == 0 {
            history.wrote("m", b"k", seqno);
        }
    }
    history
}

#[test]
fn writes_are_paged_from_either_end() {
    let history = written();
    for (from, to, at_most) in [(1, 50, 3), (0, 99, 100), (9, 9, 1), (10, 11, 5), (4, 30, 4), (49, 50, 1), (30, 20, 9)]
    {
        let all: Vec<u64> = (from..=to).filter(|seqno| (1..=50).contains(seqno) && seqno % 3 == 0).collect();
        let range = |order| Range { from, to, at_most, order };
        let expected: Vec<u64> = all.iter().copied().take(at_most + 1).collect();
        assert_eq!(history.writes_to("m", b"k", &range(Order::OldestFirst)).unwrap(), expected, "{from}-{to}");
        let expected: Vec<u64> = all.iter().rev().copied().take(at_most + 1).collect();
        assert_eq!(history.writes_to("m", b"k", &range(Order::NewestFirst)).unwrap(), expected, "{from}-{to}");
    }
}

#[test]
fn the_newest_writes_are_known_before_the_past_is() {
    let mut history = behind();
    for seqno in 5..10 {
        history.entry(4, 8 * seqno, [0; 32]);
        history.wrote("m", b"k", seqno);
    }
    let newest = |at_most| Range { from: 1, to: 9, at_most, order: Order::NewestFirst };
    assert_eq!(history.writes_to("m", b"k", &newest(4)), Ok(vec![9, 8, 7, 6, 5]));
    assert!(history.writes_to("m", b"k", &newest(5)).is_err(), "whether there is one more is not known");
}
