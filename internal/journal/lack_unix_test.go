//go:build !windows

package journal_test

import (
	"errors"
	"io/fs"
	"maps"
	"strings"
	"syscall"
	"testing"

	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// A lackingDisk fails certain calls always, like a file system that lacks them.
type lackingDisk struct {
	*journaltest.Disk
	fails map[string]error // by call: "SyncDir", or "Open shelf.jsonl.torn"
}

type lackingFile struct {
	journal.File
	disk *lackingDisk
}

func (d *lackingDisk) fail(call, name string) error {
	for _, key := range []string{call, call + " " + name} {
		if err := d.fails[key]; err != nil {
			return &fs.PathError{Op: strings.ToLower(call), Path: name, Err: err}
		}
	}
	return nil
}

func (d *lackingDisk) Open(name string, create bool) (journal.File, error) {
	if err := d.fail("Open", name); err != nil {
		return nil, err
	}
	f, err := d.Disk.Open(name, create)
	if err != nil {
		return nil, err
	}
	return lackingFile{f, d}, nil
}

func (d *lackingDisk) Names(name string, f journal.File) (int64, bool, error) {
	size, same, err := d.Disk.Names(name, f.(lackingFile).File)
	return size, same && d.fails["Names"] == nil, err
}

func (d *lackingDisk) Replace(f journal.File, from, to string, old journal.File) (journal.File, error) {
	if err := d.fail("Replace", to); err != nil {
		return old, err
	}
	now, err := d.Disk.Replace(f.(lackingFile).File, from, to, old.(lackingFile).File)
	return lackingFile{now, d}, err
}

func (d *lackingDisk) Remove(name string) error {
	if err := d.fail("Remove", name); err != nil {
		return err
	}
	return d.Disk.Remove(name)
}

func (d *lackingDisk) SyncDir(name string) error {
	if err := d.fail("SyncDir", name); err != nil {
		return err
	}
	return d.Disk.SyncDir(name)
}

func (f lackingFile) Sync() error {
	if err := f.disk.fail("Sync", ""); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f lackingFile) Lock() error {
	if err := f.disk.fail("Lock", ""); err != nil {
		return err
	}
	return f.File.Lock()
}

func (f lackingFile) Truncate(size int64) error {
	if err := f.disk.fail("Truncate", ""); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// A start does without calls that only make the file safer, and says so once.
// Acknowledged writes survive a restart, compacted or not.
func TestFileSystemLacksWhatHardens(t *testing.T) {
	t.Parallel()
	torn := journaltest.Header(0, 0) + `{"seq":`
	for _, tt := range []struct {
		name, file string // file: an existing data file; "" for none
		fails      map[string]error
		missing    string // warning of the start
		stays      string // reason why the torn tail stays
		compacts   bool
	}{
		{"no fsync of a folder: EINVAL", "", map[string]error{"SyncDir": syscall.EINVAL}, "the folder . can't be synced", "", true},
		{"no fsync of a folder: ENOSYS", torn, map[string]error{"SyncDir": syscall.ENOSYS}, "the folder . can't be synced", "", true},
		{"no fsync of a folder: EBADF", "", map[string]error{"SyncDir": syscall.EBADF}, "the folder . can't be synced", "", true},
		{"a folder that can't be read", "", map[string]error{"SyncDir": syscall.EACCES}, "the folder . can't be synced", "", true},
		{"nothing can be removed", "", map[string]error{"Remove": syscall.EACCES}, "shelf.jsonl.new of a compaction can't be removed", "", false},
		{"no renaming over a file", "", map[string]error{"Replace": syscall.EPERM}, "", "", false},
		{"no second file", torn, map[string]error{"Open shelf.jsonl.torn": syscall.EROFS}, "", "read-only file system", true},
		{"something else in the torn tail's place", torn, map[string]error{"Open shelf.jsonl.torn": syscall.EISDIR}, "", "is a directory", true},
		{"no truncation", torn, map[string]error{"Truncate": syscall.ENOTSUP}, "", "not supported", true},
		{"no truncation of a new file", "", map[string]error{"Truncate": syscall.ENOTSUP}, "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &lackingDisk{journaltest.New(1), tt.fails}
			if tt.file != "" {
				d.Put(dataFile, tt.file)
			}
			j, s := mustOpen(t, d, dataFile)
			if got := strings.Join(j.Missing(), "\n"); !strings.Contains(got, tt.missing) || (got == "") != (tt.missing == "") {
				t.Errorf("Missing = %q; want %q", got, tt.missing)
			}
			if err := j.Found().TornStays; (err == nil) != (tt.stays == "") || err != nil && !strings.Contains(err.Error(), tt.stays) {
				t.Errorf("TornStays = %v; want %q", err, tt.stays)
			}
			mustAppend(t, j, one, two)
			mustAppend(t, j, remove(2))
			s[1] = one
			if err := compact(j, s); (err == nil) != tt.compacts {
				t.Errorf("Compact = %v", err)
			}
			mustAppend(t, j, three)
			s[3] = three
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j, got := mustOpen(t, d, dataFile)
			if !maps.Equal(got, s) {
				t.Error(difference(got, s))
			}
			j.Close()
		})
	}
}

// A start without a call that a promise needs is rejected, and says what to do.
func TestFileSystemLacksWhatPromisesNeed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fails map[string]error
		want  string
	}{
		{"no locks: ENOLCK", map[string]error{"Lock": syscall.ENOLCK}, "its file system can't lock a file"},
		{"no locks: ENOTSUP", map[string]error{"Lock": syscall.ENOTSUP}, "its file system can't lock a file"},
		{"no locks: EINVAL", map[string]error{"Lock": syscall.EINVAL}, "its file system can't lock a file"},
		{"no fsync of a file: EINVAL", map[string]error{"Sync": syscall.EINVAL}, "its file system can't sync a file"},
		{"no fsync of a file: ENOSYS", map[string]error{"Sync": syscall.ENOSYS}, "its file system can't sync a file"},
		{"inode numbers that change", map[string]error{"Names": errors.ErrUnsupported}, "its file system can't tell one file from another"},
	} {
		for name, file := range map[string]string{"a new file": "", "an old file": journaltest.Header(0, 0)} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				d := &lackingDisk{journaltest.New(1), tt.fails}
				if file != "" {
					d.Put(dataFile, file)
				}
				_, _, err := open(d, dataFile)
				if err == nil || !strings.HasPrefix(err.Error(), "shelf.jsonl: "+tt.want) || !strings.Contains(err.Error(), "keep the data on a local disk, with -data FILE") {
					t.Errorf("open = %v; want %q and the way out", err, tt.want)
				}
			})
		}
	}
}

// An error of a failing disk is not taken for a missing call.
func TestDiskFailsAtStart(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"SyncDir", "Sync", "Lock", "Remove"} {
		d := &lackingDisk{journaltest.New(1), map[string]error{call: journaltest.ErrIO}}
		if _, _, err := open(d, dataFile); err == nil || strings.Contains(err.Error(), "file system") {
			t.Errorf("%s fails: open = %v", call, err)
		}
	}
}
