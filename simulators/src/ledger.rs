//! The ledger: what a server acknowledged, written down after its answer came, to be compared with its database.
//! JSON lines; whatever stands here must be in the database exactly once, whatever was killed meanwhile.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::Path,
    sync::mpsc::{self, Receiver, Sender, TryRecvError},
    thread::JoinHandle,
};

use evse_core::Utc;
use serde::{Deserialize, Serialize};

/// One acknowledged transaction message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// StartTransaction was answered with a transaction id.
    Start {
        /// Identity of the station.
        station: String,
        /// Connector, from 1.
        connector: u32,
        /// The tag.
        id_tag: String,
        /// The charger's time.
        at: Utc,
        /// Register at the start, Wh.
        meter_start: u64,
        /// What the server answered.
        transaction_id: i64,
    },
    /// MeterValues were answered.
    Meter {
        /// Identity of the station.
        station: String,
        /// Connector, from 1.
        connector: u32,
        /// The server's id of the transaction.
        transaction_id: i64,
        /// The charger's time of the sample.
        at: Utc,
        /// Register, Wh.
        energy_wh: u64,
    },
    /// StopTransaction was answered.
    Stop {
        /// Identity of the station.
        station: String,
        /// The server's id of the transaction.
        transaction_id: i64,
        /// The charger's time.
        at: Utc,
        /// Register at the end, Wh.
        meter_stop: u64,
    },
}

/// Appends entries from any thread; a thread of its own writes them.
#[derive(Debug)]
pub struct Ledger {
    sender: Sender<Entry>,
    writer: JoinHandle<io::Result<u64>>,
}

impl Ledger {
    /// Makes (or empties) the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        let (sender, entries) = mpsc::channel();
        let writer = std::thread::spawn(move || write(BufWriter::new(file), &entries));
        Ok(Self { sender, writer })
    }

    /// Where entries are sent to.
    #[must_use]
    pub fn sender(&self) -> Sender<Entry> {
        self.sender.clone()
    }

    /// Waits until all senders are gone and everything is written; yields the number of entries.
    pub fn finish(self) -> io::Result<u64> {
        drop(self.sender);
        self.writer
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the ledger's writer panicked")))
    }
}

fn write(mut file: BufWriter<File>, entries: &Receiver<Entry>) -> io::Result<u64> {
    let mut count = 0;
    loop {
        let entry = match entries.try_recv() {
            Ok(entry) => entry,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                file.flush()?;
                match entries.recv() {
                    Ok(entry) => entry,
                    Err(_) => break,
                }
            }
        };
        serde_json::to_writer(&mut file, &entry)?;
        file.write_all(b"\n")?;
        count += 1;
    }
    file.flush()?;
    Ok(count)
}

/// Reads a ledger back. Fails on the first line that is none, naming it.
pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
    let file = BufReader::new(File::open(path)?);
    file.lines()
        .enumerate()
        .map(|(index, line)| {
            serde_json::from_str(&line?).map_err(|problem| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} line {}: {problem}", path.display(), index + 1),
                )
            })
        })
        .collect()
}
