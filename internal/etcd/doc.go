// Package etcd is a history.Shared in etcd: a log that several replicas of a
// program read and append to. It speaks to etcd's JSON gateway with net/http.
// docs/replicas.md says what an owner has to know.
//
// # The keys
//
// All keys begin with the prefix of the address, such as /shelf/:
//
//	format                     {"format":"shelf","version":1,…}, written first
//	head                       the number of the last line, such as 1234
//	log/00000000000000001234   one batch; the number of its first line
//	snapshot                   which chunks are the newest snapshot
//	snap/DIR/000000            256 KiB of a snapshot
//	keys                       the signing keys
//	compactor                  which replica makes a snapshot; only saves work
//
// The value of a batch is a line {"batch":"ID"} and then the lines as package
// journal has them in a file, with their checksums. From 64 KiB on it is gzip. The
// chunks of a snapshot together are the gzip of a data file. So this is the whole
// history as text:
//
//	etcdctl get --prefix /shelf/log/ --print-value-only
//
// # How an append goes
//
// One transaction compares the head with the number that the replica has applied,
// and puts the batch and the new head. It succeeds at most once, because it moves
// the head. So an attempt without an answer is sent again as it is, to the next
// member. If the head is another one, the answer holds the batches that came
// first, perhaps this one from an earlier attempt.
//
// # How a read goes
//
// Since reads the head and what follows on the last line that the replica has
// applied, in one transaction that only reads. etcd answers it after a quorum has
// confirmed the leader. No promise rests on a lease or a clock.
//
// # Snapshots
//
// Compact writes the chunks first, then the key snapshot. Then it removes the
// entries up to the snapshot before, and older chunks. A slow replica has the time
// between two snapshots to read on; after that it gets a *history.Cut and loads.
package etcd
