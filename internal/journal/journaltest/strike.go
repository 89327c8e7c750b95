package journaltest

import "fmt"

// A Life is what a program does with a disk, for [Strike].
type Life struct {
	Start     func() error           // begins a process
	Steps     []func() error         // what the process does
	Tolerate  func(err error) error  // nil for an error of Start or a step that a fault explains
	End       func()                 // ends the process without warning
	Aftermath func(left *Disk) error // starts the program anew; an error is a broken promise
}

// play does the steps until a start fails or the machine stops. It returns an error
// for a broken promise.
func play(d *Disk, l Life) error {
	if err := l.Start(); err != nil {
		return l.Tolerate(err)
	}
	for i, step := range l.Steps {
		if err := step(); err != nil {
			if err = l.Tolerate(err); err != nil {
				return fmt.Errorf("step %d: %w", i, err)
			}
			return nil
		}
		if d.Dead() {
			return nil
		}
	}
	return nil
}

// A strike is one fault in one life, and what is left of the disk afterwards.
type strike struct {
	what  string
	seed  uint64
	fault Fault
	stops bool     // the machine does, in the end
	leave Leftover // what of the unsynced data that leaves
}

// Strike lives the life again and again, with one fault each time: at every call
// that the life makes of its disk, and within its writes after every so many bytes.
// With crashes set the machine stops there. Without, the call fails, and the process
// or the machine ends later. It returns an error for the first broken promise.
func Strike(born func(*Disk) Life, every int64, crashes bool) error {
	sound := New(1)
	if err := play(sound, born(sound)); err != nil {
		return err
	}
	tries := 6
	if crashes {
		tries = 5
	}
	for at, call := range sound.Calls() {
		for keep := range call.Bytes + 1 {
			if keep%every != 0 && keep < call.Bytes-1 {
				continue
			}
			for try := range tries {
				s := strike{what: fmt.Sprintf("call %d (%s) after %d bytes, try %d", at, call.Name, keep, try), seed: uint64(try), fault: Fault{At: at, Keep: keep, Err: ErrCrash}}
				if crashes {
					s.stops, s.leave = true, min(Leftover(try), LeaveSome)
				} else {
					s.fault.Err = []error{ErrIO, ErrNoRoom}[try%2]
					s.stops, s.leave = try/2 > 0, []Leftover{LeaveNothing, LeaveNothing, LeaveSome}[try/2]
				}
				if err := s.on(born); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s strike) on(born func(*Disk) Life) error {
	d := New(s.seed)
	d.Fail(s.fault)
	l := born(d)
	err := play(d, l)
	l.End()
	if err == nil {
		if s.stops {
			d = d.Crash(s.leave)
		}
		err = l.Aftermath(d)
	}
	if err != nil {
		return fmt.Errorf("%v at %s, machine stops: %v, leftover %d: %w", s.fault.Err, s.what, s.stops, s.leave, err)
	}
	return nil
}
