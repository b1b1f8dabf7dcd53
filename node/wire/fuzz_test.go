package wire

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// The least bytes that an item of each kind takes in a message: what was decoded can never be more.
const (
	leastRoute    = 19
	leastProgress = 2
	leastSection  = 5
	leastOp       = 4
	leastAnswer   = 7
	leastResult   = 2
)

// stable checks that a value that was read is written, read and written again without a change.
func stable(t *testing.T, again func([]byte) ([]byte, error), written []byte, from int) {
	t.Helper()
	if len(written) > from {
		t.Fatalf("%d bytes became %d: there was more in it than fits", from, len(written))
	}
	rewritten, err := again(written)
	if err != nil {
		t.Fatalf("what was written cannot be read: %v", err)
	}
	if !bytes.Equal(written, rewritten) {
		t.Fatalf("%x was read and written as %x", written, rewritten)
	}
}

func sampleBatch() []byte {
	return encode(&Batch{
		Header:   Header{Cluster: 1 << 40, Sender: counter.Origin{1, 2, 3}},
		Origin:   counter.Origin{4},
		Routes:   []Route{{Partition: 270, Epoch: 300, Owner: counter.Origin{9}, Graceful: true}},
		Progress: []Progress{{Partition: 1, Number: 1 << 50}},
		Sections: []counter.Section{
			{Partition: 5, Epoch: 2, First: 1, Ops: []counter.Op{{Key: "page:1", Delta: 3, Flags: counter.Want}, {Key: "ключ", Delta: -1 << 63, ID: "order-7"}}},
			{Partition: 6, Epoch: 1, First: 77, Answered: 76},
		},
	})
}

func FuzzBatchDecode(f *testing.F) {
	f.Add(sampleBatch())
	f.Add(encode(&Batch{}))
	f.Add([]byte{})
	again := func(b []byte) ([]byte, error) {
		var m Batch
		err := m.Decode(b)
		return encode(&m), err
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Batch
		err := m.Decode(b)
		if len(m.Routes) > len(b)/leastRoute || len(m.Progress) > len(b)/leastProgress || len(m.Sections) > len(b)/leastSection+1 {
			t.Fatalf("%d bytes became %d routes, %d notes, %d sections", len(b), len(m.Routes), len(m.Progress), len(m.Sections))
		}
		room := 0
		for i := range m.Sections {
			room += cap(m.Sections[i].Ops)
		}
		if room > 2*len(b)/leastOp+8 { // slices grow by up to twice
			t.Fatalf("%d bytes took room for %d operations", len(b), room)
		}
		if err == nil {
			stable(t, again, encode(&m), len(b))
		}
	})
}

func FuzzDecodeAnswers(f *testing.F) {
	f.Add(AppendAnswers(nil, []counter.Answer{
		{Partition: 5, Code: counter.OK, Epoch: 2, Applied: 9, Persisted: 4, Doubt: true, Results: []counter.OpResult{
			{Number: 5, Total: -7}, {Number: 8, Code: counter.OutOfRange}, {Number: 9, Code: counter.NoTotal},
		}},
		{Partition: 6, Code: counter.Moved, Epoch: 3, Owner: counter.Origin{7}},
	}))
	f.Add(AppendAnswers(nil, nil))
	again := func(b []byte) ([]byte, error) {
		answers, err := DecodeAnswers(b, nil)
		return AppendAnswers(nil, answers), err
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		answers, err := DecodeAnswers(b, nil)
		results := 0
		for i := range answers {
			results += len(answers[i].Results)
		}
		if len(answers) > len(b)/leastAnswer+1 || results > len(b)/leastResult+1 {
			t.Fatalf("%d bytes became %d answers with %d results", len(b), len(answers), results)
		}
		if err == nil {
			stable(t, again, AppendAnswers(nil, answers), len(b))
		}
	})
}

func FuzzDecodeReads(f *testing.F) {
	f.Add(AppendReads(nil, []Ask{{Key: "page:1"}, {Key: "a", ID: "b"}, {Key: "ключ"}}))
	f.Add(AppendReads(nil, nil))
	again := func(b []byte) ([]byte, error) {
		asks, err := DecodeReads(b, nil)
		return AppendReads(nil, asks), err
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		asks, err := DecodeReads(b, nil)
		total := 0
		for _, a := range asks {
			if a.Key != "" && !within(b, a.Key) || a.ID != "" && !within(b, a.ID) {
				t.Fatal("a key lies outside the message")
			}
			total += len(a.Key) + len(a.ID)
		}
		if len(asks) > len(b) || total > len(b) {
			t.Fatalf("%d bytes became %d reads of %d bytes", len(b), len(asks), total)
		}
		if err == nil {
			stable(t, again, AppendReads(nil, asks), len(b))
		}
	})
}

// within says whether the string's bytes are some of b's.
func within(b []byte, s string) bool {
	first, at := uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(unsafe.Pointer(unsafe.StringData(s)))
	return at >= first && at+uintptr(len(s)) <= first+uintptr(len(b))
}

func FuzzDecodeReadResults(f *testing.F) {
	f.Add(AppendReadResults(nil, []ReadResult{{Code: Value, Total: 5}, {Code: Again}}), 2)
	f.Add(AppendReadResults(nil, nil), 0)
	f.Fuzz(func(t *testing.T, b []byte, want int) {
		results, err := DecodeReadResults(b, want)
		if len(results) > len(b)/2 {
			t.Fatalf("%d bytes became %d results", len(b), len(results))
		}
		if err != nil {
			return
		}
		if len(results) != want {
			t.Fatalf("%d results, %d were wanted", len(results), want)
		}
		stable(t, func(b []byte) ([]byte, error) {
			r, err := DecodeReadResults(b, want)
			return AppendReadResults(nil, r), err
		}, AppendReadResults(nil, results), len(b))
	})
}

func FuzzDecodeCopies(f *testing.F) {
	f.Add(encodeCopies([]Copy{{Partition: 7, Persisted: 3, First: 4, Ops: []counter.Op{{Key: "k", Delta: 1, ID: "i"}}}, {Partition: 8, First: 1}}))
	f.Add(encodeCopies(nil))
	again := func(b []byte) ([]byte, error) {
		copies, err := DecodeCopies(b)
		return encodeCopies(copies), err
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		copies, err := DecodeCopies(b)
		if len(copies) > len(b)/4+1 {
			t.Fatalf("%d bytes became %d copies", len(b), len(copies))
		}
		if err == nil {
			stable(t, again, encodeCopies(copies), len(b))
		}
	})
}
