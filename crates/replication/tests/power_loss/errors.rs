//! The disk reports errors: whoever waits is told, the process stops and says why, and the next one has everything.

use disk::{DiskFault, ForgetfulDisk};

use crate::{
    common::write,
    course::{Course, Done},
    everywhere::{SCENARIOS, SCRIPT, place},
    life::{has_failed, must_stop},
    seeds::{Random, all, block_on},
    service::PLACE,
};

const FAULTS: [DiskFault; 3] = [DiskFault::InputOutput, DiskFault::ShortWrite, DiskFault::NoSpace];

/// An operation ends with an error.
pub(crate) fn failed_operation(seed: u64) -> Result<Done, String> {
    let fault = FAULTS[(seed % 3) as usize];
    let (scenario, operation) = place(seed / 3);
    let named =
        |why: String| format!("{fault:?} at operation {operation}, {:?}: {why}", scenario.trace[operation as usize]);
    let course = scenario.begin();
    course.disk.fail_operation(operation, fault);
    block_on(run(course, fault, &mut Random::new(seed))).map_err(named)
}

async fn run(course: Course, fault: DiskFault, random: &mut Random) -> Result<Done, String> {
    let Course { disk, mut service, mut nonces, .. } = course;
    let end = service.live(&disk, &SCRIPT, &mut nonces).await?;
    let failures = disk.failures();
    let stops = must_stop(&disk);
    match &end.stopped {
        Ok(()) if stops => return Err(format!("the process went on after {failures:?}")),
        Err(why) if !stops => {
            return Err(format!("the process stopped though {failures:?} is nothing to stop for: {why}"));
        }
        Err(why) if !says_why(why) => return Err(format!("the reason does not say what failed: {why}")),
        _ => {}
    }
    let mut done = Done::default();
    let killed = (!disk.is_read_only()).then(|| disk.copy());
    for left in killed.into_iter().chain([disk.copy().crash(random.next())]) {
        if fault == DiskFault::NoSpace {
            start_without_space(&service, &left)?;
        }
        service.check(&left)?;
        let (service, nonces) = (service.copy(), nonces.clone());
        done += Course { disk: left, service, nonces, crashes: 1 }.end().await?;
    }
    Ok(done)
}

fn says_why(why: &str) -> bool {
    let why = why.to_lowercase();
    ["ordered by the test", "no space", "storage"].iter().any(|text| why.contains(text)) && why.contains(PLACE)
}

/// While the disk is full, a start may be refused, but must not harm anything.
fn start_without_space(service: &crate::service::Service, disk: &ForgetfulDisk) -> Result<(), String> {
    let full = disk.copy();
    if let Err(why) = service.keys.open(std::sync::Arc::new(full.clone()), PLACE, service.chunk_size) {
        let why = why.to_string();
        if !says_why(&why) {
            return Err(format!("the refusal on a full disk does not say so: {why}"));
        }
    }
    full.free_space();
    service.check(&full.restart())?;
    disk.free_space();
    Ok(())
}

/// A reading ends with an error: at a start that is refused by name and works the next time.
fn failed_reading(seed: u64) -> Result<Done, String> {
    let course = SCENARIOS[1].begin();
    course.disk.fail_read_after(seed);
    let Course { disk, mut service, mut nonces, .. } = course;
    block_on(async {
        let end = service.live(&disk, &SCRIPT, &mut nonces).await?;
        match (end.stopped, has_failed(&disk)) {
            (Err(why), true) if why.contains("ordered by the test") => {}
            (Ok(()), _) => {}
            (Err(why), _) => return Err(format!("the process ended: {why}")),
        }
        let disk = disk.restart();
        service.check(&disk)?;
        Course { disk, service, nonces, crashes: 1 }.end().await
    })
}

#[test]
fn every_operation_may_end_with_every_error() {
    let [founding, resuming] = &*SCENARIOS;
    let count = 3 * (founding.trace.len() + resuming.trace.len()) as u64;
    println!("{:?}", all("every_operation_may_end_with_every_error", count, failed_operation));
}

#[test]
fn every_reading_may_end_with_an_error() {
    println!("{:?}", all("every_reading_may_end_with_an_error", 40, failed_reading));
}

/// The log is cut behind what was answered: if that fails, it is noticed though nobody asks for anything any more.
#[test]
fn a_process_that_nobody_asks_stops_too() {
    let scenario = &SCENARIOS[0];
    let is_removal = |(what, path): &&(&str, std::path::PathBuf)| {
        *what == "remove" && path.ends_with("segment-0000000000000001.log")
    };
    let (operation, _) = (0..).zip(&scenario.trace).find(|(_, operation)| is_removal(operation)).unwrap();
    let course = scenario.begin();
    course.disk.fail_operation(operation, DiskFault::InputOutput);
    let why = block_on(async {
        let mut keys = course.service.keys.copy();
        let replica = keys.start(std::sync::Arc::new(course.disk.clone()), PLACE, 1).await.unwrap();
        for number in 0..40 {
            let transaction = write(replica.committed().state.clone(), &format!("{number}"), b"value");
            if replica.submit(transaction).await.is_err() || has_failed(&course.disk) {
                break;
            }
        }
        tokio::time::timeout(std::time::Duration::from_secs(10), replica.stopped()).await.unwrap().unwrap_err()
    });
    assert!(says_why(&why), "{why}");
}
