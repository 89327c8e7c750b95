package db

import (
	"fmt"
	"strings"
)

// JudgeTwice with true has all rules run twice, and panic if the second run differs
// from the first. It is for tests, before Open. With OpenShared, rules run again whenever another
// replica was faster, so they may only overwrite what they captured.
func (d *DB) JudgeTwice(twice bool) { d.judgesTwice = twice }

// judge runs rules, whose changes become pending.
func (d *DB) judge(tx *Tx, rules func(*Tx) error) error {
	if !d.judgesTwice {
		return rules(tx)
	}
	before := d.rehearse(tx, rules)
	err := rules(tx)
	if after := outcome(tx, err); after != before {
		panic(fmt.Sprintf("rules gave %s, and then %s", before, after))
	}
	return err
}

// rehearse runs rules, takes their changes back, and returns what they came to.
func (d *DB) rehearse(like *Tx, rules func(*Tx) error) string {
	tx := &Tx{db: d, seesPending: like.seesPending}
	restore := d.note()
	defer restore()
	defer tx.rollBack()
	return outcome(tx, rules(tx))
}

// note returns a function that takes back the ids that are given out from now on.
func (d *DB) note() (restore func()) {
	last := make([]int, len(d.tables))
	for i, t := range d.tables {
		last[i] = t.last()
	}
	var others []func()
	for _, save := range d.provisional {
		others = append(others, save())
	}
	return func() {
		for i, t := range d.tables {
			t.setLast(last[i])
		}
		for _, f := range others {
			f()
		}
	}
}

// outcome says which rows rules have changed, and how they ended. It leaves out the
// content of the rows, which may be random.
func outcome(tx *Tx, err error) string {
	var b strings.Builder
	for _, c := range tx.changes {
		fmt.Fprintf(&b, "%s ", c.op)
		if c.table != nil {
			fmt.Fprintf(&b, "%s %d, ", c.table.name(), c.id)
		}
	}
	fmt.Fprintf(&b, "%v", err)
	return b.String()
}

// forgetIDs takes back the ids that were given out to changes that are not
// committed. There are no pending changes. With OpenShared, all replicas then give
// out the same ids, and no gap is left by rules that had to run again.
func (d *DB) forgetIDs() {
	for _, t := range d.tables {
		t.setLast(t.kept())
	}
	for _, f := range d.forget {
		f()
	}
}

// Provisional tells the DB about numbers that rules give out, and that the caller
// keeps in memory: as Table.NewID does for ids. Call it before Open. save is called
// with the lock held and returns a function that restores the numbers as they are
// now. That function may be called several times. The DB calls it when rules have to
// run again. Numbers of committed changes must follow from the rows: see Follow.
func (d *DB) Provisional(save func() (restore func())) {
	d.provisional = append(d.provisional, save)
	d.forget = append(d.forget, save())
}
