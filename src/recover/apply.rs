//! Brings a stage's bytes to where they belong: what is there already is found by its content,
//! never by a file's length. May be killed at any instant and run again. Runs on the owner, at
//! start, and in the command line.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use super::stage::{NEWLINE_AT, Piece, Stage, read_at};
use super::target::{LogFiles, Target};
use crate::config::file_names::Unit;
use crate::sys::io::Io;

/// Bytes that are compared or copied at once.
const BUFFER_BYTES: usize = 256 << 10;

/// How often others may append to the log in the middle of it.
const TRIES: u32 = 16;

/// How a piece fared.
enum Placed {
    /// It is where it belongs, in this file.
    There(File),
    /// Behind as many of its bytes stands something else, or its file is gone.
    Displaced(u64),
}

/// Appends what the log lacks of the stage, and syncs it.
///
/// # Errors
/// The system's: the stage is as good as before.
pub(super) fn apply(stage: &mut Stage, files: &LogFiles<'_>) -> io::Result<()> {
    for _ in 0..TRIES {
        if stage.head.is_done || place_all(stage, files)? {
            return Ok(());
        }
    }
    let dir = files.dir.display();
    Err(io::Error::other(format!("somebody writes to the log in {dir} all the time")))
}

/// Whether all pieces came to where the head says; else it says another place now.
fn place_all(stage: &mut Stage, files: &LogFiles<'_>) -> io::Result<bool> {
    let mut written: Vec<File> = Vec::new();
    for (index, piece) in stage.head.pieces.clone().iter().enumerate() {
        match place(stage, files, piece)? {
            Placed::There(file) => written.push(file),
            Placed::Displaced(same) => {
                let from = match files.unit {
                    Unit::Lines => line_start(stage, files.io, piece, same)?,
                    Unit::Segments => 0,
                };
                displace(stage, files, index, from)?;
                return Ok(false);
            }
        }
    }
    for file in &written {
        files.io.fdatasync(file.as_fd())?;
    }
    stage.head.is_done = true;
    stage.store(files.io)?;
    Ok(true)
}

fn place(stage: &Stage, files: &LogFiles<'_>, piece: &Piece) -> io::Result<Placed> {
    let Some(file) = files.find(&piece.id)? else { return Ok(Placed::Displaced(0)) };
    let same = common(stage, files.io, piece, &file)?;
    if same < piece.len {
        if file.len != piece.offset + same {
            return Ok(Placed::Displaced(same));
        }
        append(stage, files.io, piece, same, &file)?;
    }
    Ok(Placed::There(file.writer))
}

/// How many of its first bytes are there.
fn common(stage: &Stage, io: &dyn Io, piece: &Piece, file: &Target) -> io::Result<u64> {
    let (mut ours, mut theirs) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    let mut same = 0;
    while same < piece.len {
        let len = usize::try_from(piece.len - same).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let (ours, theirs) = (&mut ours[..len], &mut theirs[..len]);
        whole(stage.read(io, ours, piece.at + same)?, len)?;
        let there = read_at(io, &file.reader, theirs, piece.offset + same)?;
        let equal = ours.iter().zip(&theirs[..there]).take_while(|(one, other)| one == other);
        let equal = equal.count();
        same += equal as u64;
        if equal < len {
            break;
        }
    }
    Ok(same)
}

/// Appends the rest of a piece to the file that ends within it.
fn append(
    stage: &Stage,
    io: &dyn Io,
    piece: &Piece,
    mut done: u64,
    file: &Target,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    while done < piece.len {
        let len = usize::try_from(piece.len - done).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let bytes = &mut buffer[..len];
        whole(stage.read(io, bytes, piece.at + done)?, len)?;
        let mut written = 0;
        while written < len {
            let at = piece.offset + done + written as u64;
            match io.append(file.writer.as_fd(), &bytes[written..], at)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => written += count,
            }
        }
        done += len as u64;
    }
    if file.len > 0 {
        // The day of its lines decides when it is rotated, and what retention makes of it. Where
        // the time cannot be set, they count as today's.
        let _ = io.set_modified(file.writer.as_fd(), file.modified);
    }
    Ok(())
}

/// A stage that was cut since it was opened.
fn whole(read: usize, len: usize) -> io::Result<()> {
    if read == len { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Where, in a piece, the line begins that holds its byte `at`.
fn line_start(stage: &Stage, io: &dyn Io, piece: &Piece, at: u64) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut end = at;
    while end > 0 {
        let start = end.saturating_sub(BUFFER_BYTES as u64);
        let bytes = &mut buffer[..(end - start) as usize];
        whole(stage.read(io, bytes, piece.at + start)?, bytes.len())?;
        if let Some(newline) = bytes.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Sends the pieces from `index` on, the first of them from its byte `from` on, to the end of the
/// file that has the log's name.
fn displace(stage: &mut Stage, files: &LogFiles<'_>, index: usize, from: u64) -> io::Result<()> {
    let live = files.live()?;
    let mut rest: Vec<Piece> = stage.head.pieces[index..].to_vec();
    rest[0] = Piece { at: rest[0].at + from, len: rest[0].len - from, ..rest[0] };
    rest.retain(|piece| piece.at != NEWLINE_AT && piece.len > 0);
    if files.unit == Unit::Lines && live.ends_open(files.io)? {
        rest.insert(0, Piece { id: live.id, offset: 0, at: NEWLINE_AT, len: 1 });
    }
    let mut end = live.len;
    for piece in &mut rest {
        (piece.id, piece.offset) = (live.id, end);
        end += piece.len;
    }
    stage.head.pieces.truncate(index);
    stage.head.pieces.extend(rest);
    stage.store(files.io)
}
