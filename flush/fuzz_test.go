package flush_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/pinocchio-nose/pinocchio/flush"
)

// FuzzLedgerAnswers lets the fuzzer choose what the store answers to each statement: rows at any number, other owners, refused
// data, lost replies, before or after the statement was executed. What the flusher reports of a batch must follow from the last answer
// that it got for it, each batch must end once, and be sent as it was. Where the answers are a real store's, nothing is doubled or lost.
func FuzzLedgerAnswers(f *testing.F) {
	for _, seed := range []string{
		"", "\x01\x03\x03\x02\x04", "\x03\x03\x00\x01\x02\x03", "\x05\x04\x04\x02\x00", "\x11\x03\x03\x00\x01\x00\x03", "\x1d\x04\x02\x04\x01\x03\x00\x00",
		"\x00\x05\x01\x01\x00", "\x02\x05\x00\x02\x03\x05\x00\x00\x01", "\x14\x05\x02\x01\x00\x06\x03\x05\x03\x02\x01\x00", "\x10\x00\x00\x05\x03\x01", "\x10\x00\x00\x05\x03\x00", "\x05\x07\x00", "\x16\x06\x06\x07\x01\x07\x00\x05\x05\x03\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) { answerAs(t, script{data[:min(len(data), 200)]}) })
	})
}

// script is what is left of a fuzzer's input.
type script struct{ bytes []byte }

// next returns a number below n; 0 when the input has ended.
func (s *script) next(n int) int {
	if len(s.bytes) == 0 {
		return 0
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return int(b) % n
}

// answerAs flushes twice from a source of one to four partitions while the script answers.
func answerAs(t *testing.T, s script) {
	shape := s.next(32)
	w := &whims{t: t, model: newModelStore(), honest: shape&1 != 0, sent: map[uint32]*sent{}}
	w.source = newTestSource(t)
	w.source.withIDs = shape&2 != 0
	w.source.onDone = w.judge
	partitions := uint32(1 + shape>>2&3)
	fl := flush.NewFlusher(w, w.model.owner, w.source, flush.FlusherOptions{
		Concurrency: 1, MaxKeys: 1 + s.next(8), Interval: time.Hour, // one statement at a time: the same input, the same history
	})
	w.script = s
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = fl.Run(ctx)
	}()
	want := map[string]int64{}
	for round := range 2 {
		for p := range partitions {
			for k := range int64(3) {
				key := fmt.Sprint(p, "/", k)
				w.source.add(p, key, k+1)
				want[key] += k + 1
			}
		}
		if round == 1 && shape&16 != 0 {
			w.source.handOver(0, newID())
		}
		must(t, fl.Flush(t.Context()))
	}
	cancel()
	<-ended
	if n := len(w.source.done()); n != 2*int(partitions) {
		t.Errorf("%d batches ended, of %d", n, 2*partitions)
	}
	if w.honest {
		w.balance(want)
	}
}

// whims is a store that answers as a script says; when that has ended, as the model does.
type whims struct {
	flush.Store
	t      *testing.T
	model  *modelStore
	source *testSource
	script script
	honest bool
	sent   map[uint32]*sent // by partition: its batch under way
}

// sent is what the flusher knows of a batch.
type sent struct {
	batch   flush.Batch
	refused bool         // some statement with it was refused for its data
	answer  flush.Result // the last one about it
}

// Flush implements flush.Store.
func (w *whims) Flush(_ context.Context, r *flush.Request) (res flush.Result, err error) {
	w.note(r)
	kinds := 8
	if w.honest {
		kinds = 5
	}
	switch w.script.next(kinds) {
	case 0:
		res, err = w.model.execute(r)
	case 1:
		err = &flush.RetryError{Err: errLost}
	case 2:
		err = errLost
	case 3:
		_, _ = w.model.execute(r)
		err = errLost
	case 4: // as a database does: for its data when everything else matches
		try := *r
		try.DryRun = true
		if res, err = w.model.execute(&try); res.Applied {
			res, err = flush.Result{}, errRefusedByModel
		}
	case 5:
		res = w.mismatch(r)
	case 6:
		res = w.applied(r)
	case 7:
		w.moveWorld(r)
		res, err = w.model.execute(r)
	}
	for _, b := range r.Batches {
		s := w.sent[b.Partition]
		s.refused = s.refused || err == error(errRefusedByModel)
		if err == nil && !r.DryRun {
			s.answer = res
		}
	}
	return res, err
}

// note remembers a batch that is sent for the first time, and compares it with what was sent then.
func (w *whims) note(r *flush.Request) {
	for _, b := range r.Batches {
		first := w.sent[b.Partition]
		switch {
		case first == nil:
			w.sent[b.Partition] = &sent{batch: b}
		case !r.DryRun && !cmp.Equal(first.batch, b):
			w.t.Errorf("a batch changed: %s", cmp.Diff(first.batch, b))
		}
	}
}

// mismatch is an answer of a store that has anything at all.
func (w *whims) mismatch(r *flush.Request) (res flush.Result) {
	for _, b := range r.Batches {
		if o, ok := w.stranger(b); ok {
			res.Owners = append(res.Owners, o)
		}
		for _, m := range b.Moves {
			if n := w.script.next(7); n < 6 {
				at := []uint64{m.To, m.From, m.To - 1, m.To + 1, 0, 1 << 62}[n]
				res.Ledger = append(res.Ledger, flush.Mismatch{Partition: b.Partition, Origin: m.Origin, Number: at, Refused: n == 4})
			}
		}
		for i := range b.IDs {
			if w.script.next(4) == 3 {
				res.IDs = append(res.IDs, b.IDs[i].Ref())
			}
		}
	}
	if w.script.next(4) == 3 { // what nobody asked for
		res.Owners = append(res.Owners, owned(99, newID(), 7))
		res.Ledger = append(res.Ledger, flush.Mismatch{Partition: 99, Origin: newID(), Number: 7})
		res.IDs = append(res.IDs, flush.IDRef{Key: "99", ID: "7"})
	}
	return res
}

// stranger is an owner of the batch's partition that is not the flusher at the batch's epoch, or false.
func (w *whims) stranger(b flush.Batch) (flush.Ownership, bool) {
	switch w.script.next(6) {
	case 1:
		return owned(b.Partition, newID(), b.Epoch+1), true
	case 2:
		return owned(b.Partition, w.model.owner, b.Epoch+1), true
	case 3:
		return owned(b.Partition, b.NewOwner, b.Epoch+1), true
	case 4:
		return owned(b.Partition, b.NewOwner, b.Epoch+2), true
	case 5:
		return owned(b.Partition, uuid.Nil, 0), true
	}
	return flush.Ownership{}, false
}

// applied says so, with any values; the store itself stays as it is.
func (w *whims) applied(r *flush.Request) flush.Result {
	res := flush.Result{Applied: true}
	for _, b := range r.Batches {
		for _, d := range b.Deltas {
			if _, aside := r.Quarantine[d.Key]; !aside {
				res.Values = append(res.Values, flush.KeyValue{Key: d.Key, Value: int64(w.script.next(256))})
			}
		}
	}
	return res
}

// moveWorld changes the store behind the flusher's back: an older state, another owner.
func (w *whims) moveWorld(r *flush.Request) {
	b := r.Batches[w.script.next(len(r.Batches))]
	if o, ok := w.stranger(b); ok {
		w.model.owners[b.Partition] = o
	}
	for _, m := range b.Moves {
		if n := w.script.next(5); n > 0 {
			w.model.ledger[row(b.Partition, m.Origin)] = []uint64{m.From, m.To, m.To + 1, 0}[n-1]
		}
	}
}

// judge compares the end of a batch with the last answer that the flusher got for it.
func (w *whims) judge(e ended) {
	s := w.sent[e.Partition]
	delete(w.sent, e.Partition)
	if s == nil {
		w.t.Errorf("a batch that was never sent ended: %+v", e)
		return
	}
	a := s.answer
	matches := false
	switch e.Verdict {
	case flush.Committed:
		matches = a.Applied && valuesOf(e, a) || !a.Applied && e.Values == nil && hasMoved(e.Batch, a)
	case flush.NotOwner:
		for _, o := range a.Owners {
			matches = matches || o == e.Owner && o.Partition == e.Partition
		}
	case flush.Conflict:
		matches = !a.Applied && len(e.Ledger)+len(e.Outcome.IDs) > 0 && !hasMoved(e.Batch, a)
	case flush.Unresolved: // only when it is stopped
	}
	if !matches {
		w.t.Errorf("verdict %d (%+v) of %+v\nafter the answer %+v", e.Verdict, e.Outcome, e.Batch, a)
	}
	if len(e.Quarantined) > 0 && !s.refused {
		w.t.Errorf("set aside without a refusal: %+v", e.Quarantined)
	}
}

// valuesOf says that the outcome has the answer's value of each of the batch's deltas that was not set aside.
func valuesOf(e ended, a flush.Result) bool {
	said, aside := map[string]int64{}, map[string]bool{}
	for _, kv := range a.Values {
		said[kv.Key] = kv.Value
	}
	for _, d := range e.Quarantined {
		aside[d.Key] = true
	}
	var want []flush.KeyValue
	for _, d := range e.Deltas {
		if !aside[d.Key] {
			want = append(want, flush.KeyValue{Key: d.Key, Value: said[d.Key]})
		}
	}
	return slices.Equal(want, e.Values)
}

// hasMoved says that an answer proves the batch to have been applied: all of its rows at their ends while nobody else can have moved
// them, or handed over, from when on its heir may have gone further.
func hasMoved(b flush.Batch, a flush.Result) bool {
	exact, past, handed, theirs := 0, 0, false, false
	for _, o := range a.Owners {
		if o.Partition == b.Partition {
			theirs = true
			handed = b.NewOwner != uuid.Nil && o.Owner == b.NewOwner && o.Epoch == b.Epoch+1
		}
	}
	for _, m := range b.Moves {
		for _, at := range a.Ledger {
			if at.Partition == b.Partition && at.Origin == m.Origin && at.Number >= m.To {
				past++
				if at.Number == m.To {
					exact++
				}
			}
		}
	}
	if theirs {
		return handed && past == len(b.Moves)
	}
	return b.NewOwner == uuid.Nil && len(b.Moves) > 0 && exact == len(b.Moves)
}

// balance compares what stands in the store with what was added, after honest answers.
func (w *whims) balance(want map[string]int64) {
	got, told := map[string]int64{}, map[string]int64{}
	for _, part := range []map[string]int64{w.model.counters, w.model.aside} {
		for key, v := range part {
			got[key] += v
		}
	}
	for _, e := range w.source.done() {
		if e.Verdict != flush.Committed {
			w.t.Errorf("%+v", e)
		}
		for _, d := range e.Quarantined {
			told[d.Key] += d.Delta
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Error(diff)
	}
	if diff := cmp.Diff(w.model.aside, told); diff != "" {
		w.t.Errorf("told the source of what was set aside: %s", diff)
	}
}
