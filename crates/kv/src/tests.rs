//! The maps against a naive model.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use crate::{Conflict, State, StateBuilder, Tx, TxId, WriteSet};

const MAPS: [&str; 3] = ["public:a", "public:b", "private"];

#[derive(Debug, Clone)]
enum Step {
    Put(usize, u8, u8),
    Remove(usize, u8),
    Get(usize, u8),
    Entries(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3usize, 0..6u8, any::<u8>()).prop_map(|(m, k, v)| Step::Put(m, k, v)),
        (0..3usize, 0..6u8).prop_map(|(m, k)| Step::Remove(m, k)),
        (0..3usize, 0..6u8).prop_map(|(m, k)| Step::Get(m, k)),
        (0..3usize).prop_map(Step::Entries),
    ]
}

type Model = BTreeMap<(usize, u8), u8>;

fn play(tx: &mut Tx, model: &mut Model, steps: &[Step]) {
    for step in steps {
        match *step {
            Step::Put(map, key, value) => {
                tx.put(MAPS[map], vec![key], vec![value]);
                model.insert((map, key), value);
            }
            Step::Remove(map, key) => {
                tx.remove(MAPS[map], vec![key]);
                model.remove(&(map, key));
            }
            Step::Get(map, key) => {
                let expected = model.get(&(map, key)).map(|value| Bytes::from(vec![*value]));
                assert_eq!(tx.get(MAPS[map], &[key]), expected);
                assert_eq!(tx.has(MAPS[map], &[key]), expected.is_some());
            }
            Step::Entries(map) => {
                let expected: Vec<_> = model
                    .iter()
                    .filter(|((of, _), _)| *of == map)
                    .map(|((_, key), value)| (Bytes::from(vec![*key]), Bytes::from(vec![*value])))
                    .collect();
                assert_eq!(tx.entries(MAPS[map]), expected);
            }
        }
    }
}

proptest! {
    #[test]
    fn transactions_behave_like_a_map(transactions in prop::collection::vec(prop::collection::vec(step(), 0..20), 0..12)) {
        let (mut state, mut model) = (State::default(), Model::new());
        let mut snapshots = Vec::new();
        for (seqno, steps) in (1..).zip(&transactions) {
            snapshots.push((state.clone(), model.clone()));
            let mut tx = Tx::new(state.clone());
            play(&mut tx, &mut model, steps);
            let (reads, writes) = tx.into_parts();
            prop_assert_eq!(reads.check(&state), Ok(()));
            state.apply(TxId::new(2, seqno), &writes);
        }
        snapshots.push((state, model));
        // A snapshot stays what it was, whatever came later.
        for (state, model) in snapshots {
            for (index, map) in MAPS.iter().enumerate() {
                let found: Vec<_> = state.iter(map).map(|(key, v)| (key[0], v.value[0])).collect();
                let expected: Vec<_> =
                    model.iter().filter(|((of, _), _)| *of == index).map(|((_, key), value)| (*key, *value)).collect();
                prop_assert_eq!(&found, &expected);
                prop_assert_eq!(state.len(map), expected.len());
            }
        }
    }

    /// Whatever the order of maps and entries.
    #[test]
    fn a_state_is_put_together_again(
        transactions in prop::collection::vec(prop::collection::vec(step(), 0..20), 0..12),
        backwards: bool,
    ) {
        let mut state = State::default();
        for (seqno, steps) in (1..).zip(&transactions) {
            let mut tx = Tx::new(state.clone());
            for step in steps {
                match *step {
                    Step::Put(map, key, value) => tx.put(MAPS[map], vec![key], vec![value]),
                    Step::Remove(map, key) => tx.remove(MAPS[map], vec![key]),
                    Step::Get(..) | Step::Entries(_) => {}
                }
            }
            state.apply(TxId::new(2 + seqno / 4, seqno), &tx.into_parts().1);
        }
        let order = |mut maps: Vec<_>| if backwards { maps.reverse(); maps } else { maps };
        let mut builder = StateBuilder::new(state.tx_id());
        for (name, map) in order(state.maps().collect()) {
            prop_assert_eq!((map.changed(), map.len()), (state.changed(name), state.len(name)));
            builder.map(name, map.changed()).unwrap();
            let mut entries: Vec<_> = map.iter().collect();
            if backwards {
                entries.reverse();
            }
            for (key, versioned) in entries {
                builder.entry(key.clone(), versioned.value.clone(), versioned.written).unwrap();
            }
        }
        prop_assert_eq!(builder.finish(), state);
    }

    /// Two transactions on the same state: the second one conflicts exactly when running it after the first would let
    /// it see something else.
    #[test]
    fn a_transaction_conflicts_when_what_it_saw_was_written(
        before in prop::collection::vec(step(), 0..12),
        first in prop::collection::vec(step(), 0..6),
        second in prop::collection::vec(step(), 0..6),
    ) {
        let (mut state, mut model) = (State::default(), Model::new());
        let mut tx = Tx::new(state.clone());
        play(&mut tx, &mut model, &before);
        state.apply(TxId::new(2, 1), &tx.into_parts().1);
        let mut one = Tx::new(state.clone());
        play(&mut one, &mut model.clone(), &first);
        let mut two = Tx::new(state.clone());
        play(&mut two, &mut model, &second);
        let (_, writes) = one.into_parts();
        let (reads, _) = two.into_parts();
        // What the second one read from the state, leaving out what it had written itself.
        let mut own: Vec<(usize, u8)> = Vec::new();
        let mut touched = false;
        for step in &second {
            match *step {
                Step::Put(map, key, _) | Step::Remove(map, key) => own.push((map, key)),
                Step::Get(map, key) => {
                    let changes = writes.get(MAPS[map], &[key]).is_some();
                    let absent = state.get(MAPS[map], &[key]).is_none();
                    let removed = writes.get(MAPS[map], &[key]) == Some(None);
                    touched |= !own.contains(&(map, key)) && changes && !(absent && removed);
                }
                Step::Entries(map) => touched |= writes.map(MAPS[map]).is_some(),
            }
        }
        state.apply(TxId::new(2, 2), &writes);
        prop_assert_eq!(reads.check(&state).is_err(), touched);
    }
}

#[test]
fn an_exact_transaction_follows_its_base_only() {
    let mut state = State::default();
    state.apply(TxId::new(2, 1), &WriteSet::default());
    let mut tx = Tx::new(state.clone());
    tx.require_exact_base();
    let (reads, _) = tx.into_parts();
    assert_eq!(reads.check(&state), Ok(()));
    state.apply(TxId::new(2, 2), &WriteSet::default());
    assert_eq!(reads.check(&state), Err(Conflict::Moved { wanted: TxId::new(2, 1), actual: TxId::new(2, 2) }));
}

#[test]
fn every_value_knows_its_transaction() {
    let mut state = State::default();
    let mut writes = WriteSet::default();
    writes.put("m", "k", "v");
    state.apply(TxId::new(2, 7), &writes);
    let mut tx = Tx::new(state);
    tx.put("m", "k", "own");
    assert_eq!(tx.written("m", b"k"), Some(TxId::new(2, 7)));
    assert_eq!(tx.written("m", b"other"), None);
}

#[test]
fn equal_small_values_beside_each_other_share_their_memory() {
    let mut state = State::default();
    for (seqno, key, value) in [(1, "a", "author"), (2, "c", "author"), (3, "b", "author"), (4, "d", "another")] {
        let mut writes = WriteSet::default();
        writes.put("m", key, value.as_bytes().to_vec());
        state.apply(TxId::new(2, seqno), &writes);
    }
    let at = |key: &[u8]| state.get("m", key).unwrap();
    assert_eq!(at(b"a").value.as_ptr(), at(b"c").value.as_ptr());
    assert_eq!(at(b"a").value.as_ptr(), at(b"b").value.as_ptr());
    assert_eq!((&at(b"b").value[..], at(b"b").written.seqno), (&b"author"[..], 3));
    assert_eq!((&at(b"d").value[..], at(b"d").written.seqno), (&b"another"[..], 4));
}
