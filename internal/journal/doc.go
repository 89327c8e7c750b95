// Package journal is a history.Log in one file. It handles the bytes: lines,
// checksums, batches, torn tails, the lock, compaction, and the differences
// between disks. It knows no tables and no rows; only its caller reads the
// content of a line. docs/data.md says what the owner of a file may rely on.
//
// # The format
//
// The file is JSON Lines: a header, then one change per line.
//
//	{"format":"shelf","version":1,"after":0,"snapshot":0,"crc":"…"}
//	{"seq":1,"time":"2026-11-22T14:05:00.123Z","op":"put","user":{…},"crc":"…"}
//	{"seq":2,"time":"2026-11-22T14:05:00.123Z","op":"put","token":{…},"closes":2,"crc":"…"}
//
// The members:
//
//   - version is the version of the format. A new file has version 1. [Journal.Need]
//     raises it to 2 before the first line that version 1 doesn't have, so a program
//     that reads only version 1 rejects the file with one clear error.
//   - seq numbers the changes. The first line has the number after the header's
//     "after". Lines up to the header's "snapshot" are the rows at the last
//     compaction, not events.
//   - closes ends a batch. The last line of a batch closes that many lines, itself
//     included: "closes":2 closes the last two lines. A batch is written with one
//     write and one fsync. It counts as a whole or not at all.
//   - crc is the CRC-32C (RFC 3720 §12.1) of the line's bytes before `,"crc":`,
//     in lower-case hex. A line that a person adds or edits has no crc. Outside
//     a batch, such a line is a batch of its own. The caller must reject such a
//     line if it has an unknown member, which may be a damaged "crc".
//   - All other members are the body: the members that the caller gave to
//     Append, without braces. seq, time, closes and crc are the line's frame.
//   - A line that ends in " #refused" is the rest of a failed write, which was
//     never acknowledged. Replay skips it.
//
// While a journal is open, its file only grows or is replaced as a whole. A
// copy of the file is therefore a valid journal, whenever and however it is
// made.
//
// # Promises
//
//   - When Append returns nil, the batch survives kill -9 and a power cut.
//   - A batch is in the file as a whole or not at all, whatever fails or crashes.
//   - A rejected batch never appears, not even after a restart. Only
//     history.ErrOutcomeUnknown leaves that open. After it nothing can be
//     written until a restart.
//   - Damage stops Replay. Nothing is repaired silently, and nothing is deleted:
//     a torn tail moves to a file called path.torn.
//   - A journal has one writer. A second Open fails with ErrLocked. If the path
//     no longer names the journal's file, Append fails with history.ErrReadOnly.
//   - Compaction loses nothing, whenever it is interrupted.
//
// # The reserve
//
// A log-out must work even on a full disk. Append therefore leaves
// Options.Reserve bytes free after the end of the file, and AppendEnding may
// use them. The reserve is made of blocks that already belong to the file
// (fallocate on Linux). No other program can take them, and the file's size
// doesn't include them. Systems and file systems without fallocate have no
// reserve. A batch rejected for lack of room still never appears.
//
// # How a start tells a crash from damage
//
// The seq of closed batches goes up by one without a gap. Lines between two
// batches with consecutive numbers are a failed write. A gap in the numbers, or
// an unreadable line inside a closed batch, is damage. Lines after the last
// closed batch are a torn tail, which was never acknowledged.
//
// Call Open, Replay and Start, then Append and Compact in any order, then
// Close. Read reads a file without a lock, even while another process writes to
// it. Package journaltest has a disk in memory that fails and crashes on
// demand.
package journal
