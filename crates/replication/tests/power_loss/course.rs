//! A course of events: processes, power losses, and what must hold behind each.

use std::{path::Path, sync::LazyLock};

use disk::{Disk, DiskFault, ForgetfulDisk};

use crate::{
    common::Keys,
    life::{Step, has_failed},
    nonces::Nonces,
    seeds::{Random, block_on},
    service::Service,
};

/// One service for all seeds: making keys takes longer than a whole life.
pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);

/// What seeds did, so that a test can tell that they did something.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) lives: u64,
    pub(crate) crashes: u64,
    pub(crate) answered: u64,
    pub(crate) rekeys: u64,
    pub(crate) receipts: u64,
}

impl std::ops::AddAssign for Done {
    fn add_assign(&mut self, more: Self) {
        self.lives += more.lives;
        self.crashes += more.crashes;
        self.answered += more.answered;
        self.rekeys += more.rekeys;
        self.receipts += more.receipts;
    }
}

/// A fault of the code below this crate, which the disk plays.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Omitted {
    Nothing,
    /// This sync is left out.
    Sync(&'static str),
    /// What comes behind this sync is done before it.
    Order(&'static str),
}

impl Omitted {
    pub(crate) fn order(self, disk: &ForgetfulDisk) {
        match self {
            Self::Nothing => {}
            Self::Sync(what) => disk.ignore_syncs(what),
            Self::Order(what) => disk.delay_syncs(what, 1),
        }
    }
}

/// A disk with a place for the service.
pub(crate) fn new_disk(omitted: Omitted) -> ForgetfulDisk {
    let disk = ForgetfulDisk::new();
    disk.create_dir(Path::new("/node")).unwrap();
    disk.sync_dir(Path::new("/"), "test").unwrap();
    omitted.order(&disk);
    // Operations are counted from here on.
    disk.restart()
}

/// A course of events: a disk, the service on it, and everything that was ever encrypted.
pub(crate) struct Course {
    pub(crate) disk: ForgetfulDisk,
    pub(crate) service: Service,
    pub(crate) nonces: Nonces,
    pub(crate) crashes: u64,
}

impl Course {
    pub(crate) fn new(chunk_size: u64, omitted: Omitted) -> Self {
        let service = Service::new(&KEYS, chunk_size);
        Self { disk: new_disk(omitted), service, nonces: Nonces::default(), crashes: 0 }
    }

    /// The same up to here; what was encrypted belongs to both.
    pub(crate) fn copy(&self) -> Self {
        let (disk, service) = (self.disk.copy(), self.service.copy());
        Self { disk, service, nonces: self.nonces.clone(), crashes: self.crashes }
    }

    /// One process, after which the power fails or the process is killed; what was answered must be there then.
    pub(crate) async fn live(&mut self, script: &[Step], random: &mut Random) -> Result<(), String> {
        let end = self.service.live(&self.disk, script, &mut self.nonces).await?;
        if !end.finished && !has_failed(&self.disk) {
            return Err(format!("a process on a good disk ended: {:?}", end.stopped));
        }
        let killed = random.one_in(4) && !self.disk.is_read_only();
        self.disk = if killed { self.disk.restart() } else { self.disk.crash(random.next()) };
        self.crashes += 1;
        let found = self.service.check(&self.disk)?;
        // What a start has found is durable, also if the power ends that start.
        if killed && random.one_in(2) {
            self.disk = self.disk.crash(random.next());
            let again = self.service.check(&self.disk)?;
            if again != found {
                return Err(format!("{found} was found, then the ledger ends at {again}"));
            }
        }
        Ok(())
    }

    /// The host lets a copy of the disk go on.
    pub(crate) async fn fork(&mut self, random: &mut Random) -> Result<(), String> {
        let disk = self.disk.copy();
        let mut service = self.service.copy();
        service.live(&disk, &[Step::Writes(1), Step::Writes(2)], &mut self.nonces).await?;
        service.check(&disk.crash(random.next()))?;
        Ok(())
    }

    /// A last process on a disk that works: it can write, and everything verifies.
    pub(crate) async fn end(self) -> Result<Done, String> {
        self.end_with(&mut Nonces::default()).await
    }

    /// The same, and hands over what was encrypted.
    pub(crate) async fn end_with(mut self, nonces: &mut Nonces) -> Result<Done, String> {
        let last = [Step::Writes(2), Step::Rekey(1, 1), Step::EndChunk, Step::Writes(1), Step::Receipt];
        let end = self.service.live(&self.disk, &last, &mut self.nonces).await?;
        if !end.finished || end.stopped.is_err() {
            return Err(format!("a process on a good disk ended: {:?}", end.stopped));
        }
        self.service.verify(&self.disk)?;
        self.service.check(&self.disk.restart())?;
        *nonces = self.nonces;
        Ok(Done {
            lives: self.service.lives,
            crashes: self.crashes,
            answered: self.service.answered() as u64,
            rekeys: self.service.rekeys.len() as u64,
            receipts: self.service.receipts.len() as u64,
        })
    }
}

/// Everything by seed: what is done, when the power fails, and what survives.
pub(crate) fn random_course(seed: u64, omitted: Omitted) -> Result<Done, String> {
    let mut random = Random::new(seed);
    let mut course = Course::new(2_000 + random.below(12_000), omitted);
    block_on(async {
        for _ in 0..1 + random.below(4) {
            let count = 4 + random.below(16);
            let script = Step::any(&mut random, count);
            let operations = if random.one_in(4) { 40 } else { 20 * count };
            match random.below(8) {
                0 => course.disk.fail_operation(random.below(operations), DiskFault::InputOutput),
                1 => course.disk.fail_sync_after(random.below(operations / 3)),
                _ => course.disk.fail_after(random.below(operations)),
            }
            course.live(&script, &mut random).await?;
            if random.one_in(8) {
                course.fork(&mut random).await?;
            }
        }
        course.end().await
    })
}
