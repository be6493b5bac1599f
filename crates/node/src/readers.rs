use std::sync::Arc;

use api::ApiError;
use tokio::sync::Semaphore;

use crate::counters::{Counters, Refused};

/// Questions that are answered from files at a time: each takes a thread.
const MAX_READING: usize = 16;
/// Questions that are answered from files or wait for that.
const MAX_PENDING: usize = 512;

/// Turns at the ledger files. Old receipts and histories are read from there, which may take a while on a busy disk, and
/// threads that wait for it are as scarce as the memory of what waits for a thread.
pub(crate) struct Readers {
    pending: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { pending: Arc::new(Semaphore::new(MAX_PENDING)), reading: Arc::new(Semaphore::new(MAX_READING)) }
    }
}

impl Readers {
    /// Runs what reads files, on a thread that may wait for them. It keeps its turn until it has ended, also if nobody
    /// waits for it any more.
    ///
    /// # Errors
    /// 503 `TooManyPendingTransactions` at once if too many wait already.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        counters: &Counters,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let pending = self.pending.clone().try_acquire_owned().map_err(|_| {
            counters.refused(Refused::Past);
            too_many()
        })?;
        let turn = self.reading.clone().acquire_owned().await.map_err(|why| ApiError::internal(why.to_string()))?;
        let run = move || {
            let _turns = (pending, turn);
            read()
        };
        tokio::task::spawn_blocking(run).await.map_err(|why| ApiError::internal(why.to_string()))
    }
}

fn too_many() -> ApiError {
    let text = format!("{MAX_PENDING} questions about the past are being answered. Retry later.");
    ApiError::new(503, "TooManyPendingTransactions", text).with_header("retry-after", "1")
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc,
        },
        time::Duration,
    };

    use tokio::{task::JoinSet, time::timeout};

    use super::*;

    #[tokio::test]
    async fn questions_about_the_past_are_bounded() {
        let (readers, counters) = (Arc::new(Readers::default()), Arc::new(Counters::default()));
        let (go, gate) = mpsc::channel::<()>();
        let (gate, running) = (Arc::new(std::sync::Mutex::new(gate)), Arc::new(AtomicUsize::new(0)));
        let mut asked = JoinSet::new();
        for _ in 0..MAX_PENDING + 5 {
            let (readers, counters, gate, running) = (readers.clone(), counters.clone(), gate.clone(), running.clone());
            asked.spawn(async move {
                let read = move || {
                    running.fetch_add(1, SeqCst);
                    // The end of the channel lets all of them go on.
                    gate.lock().unwrap().recv().unwrap_err();
                };
                readers.read(&counters, read).await
            });
        }
        for _ in 0..5 {
            let refused =
                timeout(Duration::from_secs(5), asked.join_next()).await.unwrap().unwrap().unwrap().unwrap_err();
            assert_eq!((refused.status, refused.code), (503, "TooManyPendingTransactions"));
            assert_eq!(refused.headers, [("retry-after", "1".to_owned())]);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(running.load(SeqCst) <= MAX_READING);
        drop(go);
        while let Some(answer) = timeout(Duration::from_secs(5), asked.join_next()).await.unwrap() {
            answer.unwrap().unwrap();
        }
        assert_eq!(running.load(SeqCst), MAX_PENDING);
        readers.read(&counters, || ()).await.unwrap();
    }
}
