//! The shared folder: every node writes a small file there, every other node reads it.

use super::{DEADLINE, Station, all, paths::numbers};
use crate::lab_check::{Reading, Seen, Store, Wrote};
use anyhow::Result;
use camino::Utf8PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// What each node writes, and where.
#[derive(Clone, Debug)]
struct Note {
    station: Station,
    folder: Utf8PathBuf,
    file: Utf8PathBuf,
    text: String,
}

/// Tries the folder of every node that has one; nothing stays there.
pub async fn look(stations: &[Station]) -> Vec<Store> {
    // New names each time: a node may remember for a while that there is no such file.
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let mark = format!("{}-{now_ns:x}", std::process::id());
    let notes: Vec<Note> = stations
        .iter()
        .filter_map(|station| {
            let folder = station.node.storage.clone()?;
            let text = format!("{}-{mark}", station.node.name);
            let file = folder.join(format!(".precopy-lab-check-{text}"));
            Some(Note { station: station.clone(), folder, file, text })
        })
        .collect();
    let wrote = all(notes.iter().cloned().map(write)).await;
    let written: Vec<Note> = notes
        .iter()
        .zip(&wrote)
        .filter(|(_, wrote)| matches!(wrote, Reading::Measured(_)))
        .map(|(note, _)| note.clone())
        .collect();
    let read = all(notes.iter().cloned().map(|note| read(note, written.clone()))).await;
    let removed = all(written.iter().cloned().map(remove)).await;
    let mut stores: Vec<Store> = notes
        .into_iter()
        .zip(wrote)
        .zip(read)
        .map(|((note, wrote), read)| Store {
            node: note.station.node.name,
            folder: note.folder.into_string(),
            wrote,
            read,
        })
        .collect();
    for (note, removed) in written.iter().zip(removed) {
        let store = stores.iter_mut().find(|store| store.node == note.station.node.name);
        if let (Some(store), Err(error)) = (store, removed) {
            store.wrote = Reading::Failed(format!("written, but not removed: {error:#}"));
        }
    }
    stores
}

async fn write(note: Note) -> Reading<Wrote> {
    let said = note.station.observe(&["write", note.file.as_str(), &note.text]).await;
    let wrote = said.and_then(|said| {
        let [ns, free_bytes] = numbers(&said, "wrote")?;
        Ok(Wrote { ms: ns / 1e6, free_bytes: free_bytes as u64 })
    });
    wrote.into()
}

/// What this node sees of the files of the others.
async fn read(note: Note, written: Vec<Note>) -> Vec<(String, Seen)> {
    let name = |note: &Note| note.station.node.name.clone();
    let others: Vec<&Note> = written.iter().filter(|other| name(other) != name(&note)).collect();
    if others.is_empty() {
        return Vec::new();
    }
    let mut arguments = vec!["read"];
    let mut files = Vec::new();
    for other in &others {
        // The folder as this node sees it, which may have another path.
        files.push(note.folder.join(other.file.file_name().unwrap_or_default()));
    }
    for (file, other) in files.iter().zip(&others) {
        arguments.extend([file.as_str(), other.text.as_str()]);
    }
    let seen = match note.station.observe(&arguments).await {
        Ok(said) => said.lines().map(seen).collect(),
        Err(error) => vec![Seen::Nothing(format!("{error:#}")); others.len()],
    };
    others.iter().map(|other| name(other)).zip(seen).collect()
}

fn seen(line: &str) -> Seen {
    match line {
        "same" => Seen::Same,
        "other" => Seen::Other,
        _ => Seen::Nothing(line.trim_start_matches("none ").to_owned()),
    }
}

async fn remove(note: Note) -> Result<()> {
    let argv = ["rm", "-f", "--", note.file.as_str()].map(str::to_owned);
    note.station.node.run(&argv, DEADLINE).await.map(drop)
}
