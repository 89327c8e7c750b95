// Package journal is a history.Log in one file. It knows the bytes: lines,
// checksums, batches, torn tails, the lock, compaction, and the quirks of disks.
// It knows no table and no row: what a line says is its caller's business.
//
// # The format
//
// The file is JSON Lines: a header, then one change a line.
//
//	{"format":"shelf","version":1,"after":0,"snapshot":0,"crc":"…"}
//	{"seq":1,"time":"2026-11-22T14:05:00.123Z","op":"put","user":{…},"crc":"…"}
//	{"seq":2,"time":"2026-11-22T14:05:00.123Z","op":"put","token":{…},"closes":2,"crc":"…"}
//
// What the members say:
//
//   - seq counts the changes. The header's "after" is the number before the
//     first line's. Lines up to the header's "snapshot" are what compaction
//     found alive, not what happened.
//   - A batch is written with one write and one fsync. It counts as a whole or
//     not at all. The last line of a batch "closes" that many lines, itself
//     included: "closes":2 closes the last two lines.
//   - crc is the CRC-32C (RFC 3720 §12.1) of the line's bytes before `,"crc":`,
//     in lower-case hex. A line that a person adds or edits has no crc. Outside
//     a batch such a line is a batch of its own. The caller must refuse such a
//     line if it has a member that the caller doesn't know: a line whose "crc"
//     was damaged into another name looks like that.
//   - What is left of a line is its body: the members that the caller gave to
//     Append, without braces. seq, time, closes and crc are the line's frame.
//   - A line that ends in " #refused" is what a failed write left behind.
//     Nobody was ever told that it worked. Replay skips it.
//
// While a journal is open the file only grows or is replaced whole. So a copy of
// the file, made at any moment with any tool, is a journal.
//
// # Promises
//
//   - When Append returns nil, the batch survives kill -9 and a power cut.
//   - A batch is there as a whole or not at all, whatever fails or crashes.
//   - A batch that was refused never appears, not even after a restart. Only
//     history.ErrOutcomeUnknown leaves that open, and then nothing can be
//     written until a restart.
//   - Damage stops Replay. Nothing is repaired silently, and nothing is thrown
//     away: a torn tail moves to a file called path.torn.
//   - A journal has one writer. A second Open fails with ErrLocked. When the
//     path stops naming the journal's file, Append fails with
//     history.ErrReadOnly.
//   - Compaction loses nothing at whatever point it is interrupted.
//
// # The reserve
//
// On a full disk a log-out must still work. So Append leaves Options.Reserve bytes
// free behind the end of the file, and AppendEnding may use them. They are blocks
// that belong to the file already (fallocate on Linux), so no other program can
// take them, and the file's size doesn't show them. Other systems, and file systems
// without that call, have no reserve. A batch that was refused for want of room
// still never appears.
//
// # How a start tells a crash from damage
//
// The numbers of closed batches go up by one, without a gap. What stands between
// two batches whose numbers follow on each other was refused. A gap in the
// numbers, or an unreadable line inside a closed batch, is damage. What follows
// the last closed batch is a torn tail: it was never acknowledged.
//
// Use: Open, Replay, Start, then Append and Compact as often as you like, Close.
// Read reads a file without a lock, also beside a process that writes to it.
// Package journaltest has a disk in memory that fails and crashes on demand.
package journal
