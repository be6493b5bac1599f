use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const FILE: &str = "/file";

fn path() -> &'static Path {
    Path::new(FILE)
}

/// A disk with a durable file of 2000 times `a`, and a handle to it.
fn durable_file() -> (ForgetfulDisk, Box<dyn DiskFile>) {
    let disk = ForgetfulDisk::new();
    let mut file = disk.create_new(path()).unwrap();
    file.append(&[b'a'; 2000]).unwrap();
    file.sync_all("content").unwrap();
    disk.sync_dir(Path::new("/"), "name").unwrap();
    (disk, file)
}

#[test]
fn what_was_synced_survives_every_crash() {
    for seed in 0..100 {
        let (disk, _file) = durable_file();
        assert_eq!(disk.crash(seed).read(path()).unwrap(), [b'a'; 2000], "seed {seed}");
    }
}

#[test]
fn an_unsynced_write_is_lost_kept_or_torn() {
    let mut outcomes = HashSet::new();
    for seed in 0..200 {
        let (disk, mut file) = durable_file();
        file.write_at(100, &[b'b'; 1500]).unwrap();
        let left = disk.crash(seed).read(path()).unwrap();
        assert_eq!(left.len(), 2000);
        assert!(left[..100].iter().chain(&left[1600..]).all(|byte| *byte == b'a'));
        outcomes.insert(left);
    }
    let written = |left: &Vec<u8>| left.iter().filter(|byte| **byte == b'b').count();
    assert!(outcomes.iter().any(|left| written(left) == 0), "lost");
    assert!(outcomes.iter().any(|left| written(left) == 1500), "kept");
    assert!(outcomes.iter().any(|left| left[100] == b'b' && written(left) % 512 != 412), "a beginning");
    assert!(outcomes.iter().any(|left| left[100] == b'a' && written(left) > 0), "later sectors without the first");
}

#[test]
fn an_unsynced_name_is_lost_or_kept() {
    let survivors = |seed| {
        let (disk, _file) = durable_file();
        let mut other = disk.create_new(Path::new("/other")).unwrap();
        other.append(b"synced").unwrap();
        other.sync_all("content").unwrap();
        disk.rename(path(), Path::new("/renamed")).unwrap();
        disk.crash(seed).list(Path::new("/")).unwrap()
    };
    let outcomes: HashSet<_> = (0..100).map(survivors).collect();
    for expected in [vec!["file"], vec!["file", "other"], vec!["renamed"], vec!["other", "renamed"]] {
        assert!(outcomes.iter().any(|names| *names == expected), "{expected:?}");
    }
    assert_eq!(outcomes.len(), 4, "a rename loses no file");
}

#[test]
fn a_rename_moves_the_file_it_was_asked_to() {
    for seed in 0..200 {
        let (disk, _file) = durable_file();
        disk.remove(path()).unwrap();
        let mut other = disk.create_new(path()).unwrap();
        other.append(b"other").unwrap();
        other.sync_all("content").unwrap();
        disk.rename(path(), Path::new("/renamed")).unwrap();
        if let Ok(renamed) = disk.crash(seed).read(Path::new("/renamed")) {
            assert_eq!(renamed, b"other", "seed {seed}");
        }
    }
}

#[test]
fn an_unsynced_removal_may_come_back() {
    let left = |seed| {
        let (disk, _file) = durable_file();
        disk.remove(path()).unwrap();
        disk.crash(seed).exists(path()).unwrap()
    };
    assert!((0..50).any(left));
    assert!((0..50).any(|seed| !left(seed)));
}

#[test]
fn a_directory_needs_its_parent_synced() {
    let left = |seed, sync| {
        let disk = ForgetfulDisk::new();
        disk.create_dir(Path::new("/dir")).unwrap();
        disk.create_new(Path::new("/dir/file")).unwrap();
        disk.sync_dir(Path::new("/dir"), "name").unwrap();
        if sync {
            disk.sync_dir(Path::new("/"), "directory").unwrap();
        }
        disk.crash(seed).exists(Path::new("/dir/file")).unwrap()
    };
    assert!((0..50).all(|seed| left(seed, true)));
    assert!((0..50).any(|seed| !left(seed, false)));
}

#[test]
fn the_same_seed_gives_the_same_crash() {
    let crash = |seed| {
        let (disk, mut file) = durable_file();
        file.write_at(0, &[b'b'; 1700]).unwrap();
        file.set_len(1800).unwrap();
        disk.crash(seed).read(path()).unwrap()
    };
    for seed in 0..50 {
        assert_eq!(crash(seed), crash(seed));
    }
}

#[test]
fn a_crashed_disk_is_of_no_use() {
    let (disk, mut file) = durable_file();
    let _next = disk.crash(0);
    assert!(file.write_at(0, b"x").is_err());
    assert!(file.sync_data("content").is_err());
    assert!(disk.read(path()).is_err());
    assert!(disk.create_new(Path::new("/new")).is_err());
}

#[test]
fn operations_fail_after_the_ordered_number() {
    let (disk, mut file) = durable_file();
    assert_eq!(disk.operations(), 4);
    disk.fail_after(2);
    file.write_at(0, b"one").unwrap();
    file.sync_data("content").unwrap();
    assert!(file.write_at(0, b"three").is_err());
    assert!(disk.read(path()).is_err());
    assert_eq!(&disk.crash(0).read(path()).unwrap()[..5], b"oneaa");
}

#[test]
fn a_failed_sync_poisons_and_loses_for_good() {
    let (disk, mut file) = durable_file();
    disk.fail_sync_after(0);
    file.write_at(0, b"lost").unwrap();
    assert!(matches!(file.sync_data("content"), Err(DiskError::SyncFailed { .. })));
    assert!(matches!(file.write_at(0, b"x"), Err(DiskError::Poisoned { .. })));
    // Another handle syncs without an error, and the write is gone all the same.
    disk.open(path()).unwrap().sync_all("content").unwrap();
    assert_eq!(&disk.read(path()).unwrap()[..4], b"lost");
    for seed in 0..20 {
        let (disk, mut file) = durable_file();
        disk.fail_sync_after(0);
        file.write_at(0, b"lost").unwrap();
        file.sync_data("content").unwrap_err();
        assert_eq!(&disk.crash(seed).read(path()).unwrap()[..4], b"aaaa");
    }
}

#[test]
fn an_ignored_sync_makes_nothing_durable() {
    let lost = |seed| {
        let (disk, mut file) = durable_file();
        disk.ignore_syncs("content");
        file.write_at(0, b"b").unwrap();
        file.sync_data("content").unwrap();
        disk.crash(seed).read(path()).unwrap()[0] == b'a'
    };
    assert!((0..20).any(lost));
}

#[test]
fn a_restart_keeps_what_is_not_durable_yet() {
    let (disk, mut file) = durable_file();
    let _lock = disk.lock(Path::new("/lock")).unwrap();
    file.write_at(0, b"b").unwrap();
    let disk = disk.restart();
    assert_eq!(disk.read(path()).unwrap()[0], b'b');
    assert!(file.write_at(0, b"c").is_err());
    let _lock = disk.lock(Path::new("/lock")).unwrap();
    assert!((0..20).any(|seed| {
        let (disk, mut file) = durable_file();
        file.write_at(0, b"b").unwrap();
        disk.restart().crash(seed).read(path()).unwrap()[0] == b'a'
    }));
}

#[test]
fn a_copy_is_another_disk_with_the_same_on_it() {
    let (disk, mut file) = durable_file();
    let _lock = disk.lock(Path::new("/lock")).unwrap();
    file.write_at(0, b"b").unwrap();
    let copy = disk.copy();
    file.write_at(0, b"c").unwrap();
    assert_eq!((disk.read(path()).unwrap()[0], copy.read(path()).unwrap()[0]), (b'c', b'b'));
    let _lock = copy.lock(Path::new("/lock")).unwrap();
    let left: HashSet<_> = (0..40).map(|seed| copy.copy().crash(seed).read(path()).unwrap()[0]).collect();
    assert_eq!(left, HashSet::from([b'a', b'b']), "what was not durable is not durable in the copy");
    assert_eq!(copy.copy().crash(3).read(path()).unwrap(), copy.copy().crash(3).read(path()).unwrap());
}

#[test]
fn an_ordered_error_comes_once_and_changes_nothing() {
    let (disk, mut file) = durable_file();
    disk.fail_operation(1, DiskFault::InputOutput);
    file.write_at(0, b"b").unwrap();
    assert!(matches!(disk.create_new(Path::new("/new")), Err(DiskError::Io { action: "create", .. })));
    assert_eq!((disk.failures().len(), disk.exists(Path::new("/new")).unwrap()), (1, false));
    disk.fail_operation(0, DiskFault::InputOutput);
    assert!(matches!(disk.rename(path(), Path::new("/new")), Err(DiskError::Io { action: "rename", .. })));
    disk.rename(path(), Path::new("/new")).unwrap();
    disk.fail_operation(0, DiskFault::InputOutput);
    assert!(matches!(disk.sync_dir(Path::new("/"), "name"), Err(DiskError::SyncFailed { .. })));
    assert!((0..20).all(|seed| disk.copy().crash(seed).exists(path()).unwrap()), "the rename is lost");

    let (disk, mut file) = durable_file();
    disk.fail_operation(0, DiskFault::ShortWrite);
    assert!(file.write_at(0, b"wxyz").is_err());
    assert_eq!(&disk.read(path()).unwrap()[..5], b"wxaaa");
    disk.fail_read_after(1);
    disk.read(path()).unwrap();
    disk.read(path()).unwrap_err();
    disk.read(path()).unwrap();
    assert_eq!(disk.failures(), [("write to", path().to_owned()), ("read", path().to_owned())]);
}

#[test]
fn a_directory_that_was_not_synced_takes_no_more_changes() {
    let (disk, mut file) = durable_file();
    disk.fail_sync_after(0);
    disk.sync_dir(Path::new("/"), "name").unwrap_err();
    assert!(disk.is_read_only() && file.write_at(0, b"x").is_err());
    let disk = disk.restart();
    assert!(disk.create_new(Path::new("/new")).is_err() && disk.read(path()).is_ok());
    disk.crash(0).create_new(Path::new("/new")).unwrap();
}

#[test]
fn a_full_disk_takes_what_needs_no_space() {
    let (disk, mut file) = durable_file();
    disk.fail_operation(0, DiskFault::NoSpace);
    file.write_at(1999, b"z").unwrap();
    assert!(file.write_at(1999, b"zz").is_err());
    assert!(file.set_len(3000).is_err());
    file.sync_data("content").unwrap();
    disk.rename(path(), Path::new("/new")).unwrap();
    assert!(disk.create_dir(Path::new("/dir")).is_err());
    let disk = disk.restart();
    assert!(disk.create_new(Path::new("/other")).is_err(), "a restart makes no space");
    disk.free_space();
    disk.create_new(Path::new("/other")).unwrap();
}

#[test]
fn a_late_sync_comes_behind_what_follows() {
    let survives = |operations: usize, seed| {
        let (disk, mut file) = durable_file();
        disk.delay_syncs("late", 1);
        file.write_at(0, b"b").unwrap();
        file.sync_data("late").unwrap();
        for name in ["/1", "/2"].iter().take(operations) {
            disk.create_new(Path::new(name)).unwrap();
        }
        disk.crash(seed).read(path()).unwrap()[0] == b'b'
    };
    assert!((0..40).any(|seed| !survives(0, seed)) && (0..40).any(|seed| !survives(1, seed)));
    assert!((0..40).all(|seed| survives(2, seed)));
}

#[test]
fn the_trace_has_every_change() {
    let (disk, _file) = durable_file();
    disk.remove(path()).unwrap();
    let actions: Vec<_> = disk.trace().into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["create", "write to", "content", "name", "remove"]);
    assert_eq!(actions.len() as u64, disk.operations());
}

#[test]
fn a_lock_has_one_holder() {
    let disk = ForgetfulDisk::new();
    let held = disk.lock(Path::new("/lock")).unwrap();
    assert!(matches!(disk.lock(Path::new("/lock")), Err(DiskError::Locked { .. })));
    drop(held);
    disk.lock(Path::new("/lock")).unwrap();
}

proptest! {
    /// Seen by the running system, the forgetful disk is an ordinary one.
    #[test]
    fn reads_like_a_real_disk(writes in prop::collection::vec((0_u64..3000, prop::collection::vec(any::<u8>(), 0..700)), 0..20)) {
        let dir = tempfile::tempdir().unwrap();
        let real_path = dir.path().join("file");
        let disk = ForgetfulDisk::new();
        let mut real = crate::RealDisk.create_new(&real_path).unwrap();
        let mut forgetful = disk.create_new(path()).unwrap();
        for (number, (offset, bytes)) in writes.iter().enumerate() {
            for file in [&mut real, &mut forgetful] {
                match number % 4 {
                    0 => { file.append(bytes).unwrap(); }
                    1 => file.set_len(*offset).unwrap(),
                    _ => file.write_at(*offset, bytes).unwrap(),
                }
            }
            prop_assert_eq!(real.len().unwrap(), forgetful.len().unwrap());
        }
        prop_assert_eq!(crate::RealDisk.read(&real_path).unwrap(), disk.read(path()).unwrap());
    }
}
