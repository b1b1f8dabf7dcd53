package wire

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/pinocchio-nose/pinocchio/counter"
)

// encode writes a batch the way a link does.
func encode(m *Batch) []byte {
	b := AppendOrigin(AppendHeader(nil, m.Header), m.Origin)
	b = AppendRoutes(b, m.Routes)
	b = AppendProgress(b, m.Progress)
	b = binary.AppendUvarint(b, uint64(len(m.Sections)))
	for i := range m.Sections {
		b = AppendSection(b, &m.Sections[i])
	}
	return b
}

// encodeCopies writes what stands behind the header.
func encodeCopies(copies []Copy) []byte {
	b := binary.AppendUvarint(nil, uint64(len(copies)))
	for i := range copies {
		b = AppendCopy(b, &copies[i])
	}
	return b
}

// same compares values; what callers wait for stays at home, and an empty list is like none.
func same(a, b any) string {
	return cmp.Diff(a, b, cmpopts.IgnoreUnexported(counter.Op{}), cmpopts.EquateEmpty())
}

var (
	number = rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 300), rapid.SampledFrom([]uint64{0, 127, 128, math.MaxUint64}))
	delta  = rapid.OneOf(rapid.Int64(), rapid.Int64Range(-70, 70), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64}))
	key    = rapid.OneOf(rapid.String(), rapid.StringN(0, 600, 600))
	id     = rapid.Custom(func(t *rapid.T) (o counter.Origin) {
		copy(o[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		return o
	})
)

var op = rapid.Custom(func(t *rapid.T) counter.Op {
	return counter.Op{
		Key: rapid.StringN(1, 600, 600).Draw(t, "key"), Delta: delta.Draw(t, "delta"),
		ID: rapid.StringN(0, 40, 255).Draw(t, "id"), Flags: counter.Flags(rapid.ByteMax(127).Draw(t, "flags")),
	}
})

func drawBatch(t *rapid.T) Batch {
	route := rapid.Custom(func(t *rapid.T) Route {
		return Route{
			Partition: rapid.Uint32().Draw(t, "partition"), Epoch: number.Draw(t, "epoch"),
			Owner: id.Draw(t, "owner"), Graceful: rapid.Bool().Draw(t, "graceful"),
		}
	})
	progress := rapid.Custom(func(t *rapid.T) Progress {
		return Progress{Partition: rapid.Uint32().Draw(t, "partition"), Number: number.Draw(t, "number")}
	})
	section := rapid.Custom(func(t *rapid.T) counter.Section {
		return counter.Section{
			Partition: rapid.Uint32().Draw(t, "partition"), Epoch: number.Draw(t, "epoch"),
			First: max(1, number.Draw(t, "first")), Answered: number.Draw(t, "answered"), Ops: rapid.SliceOfN(op, 0, 8).Draw(t, "ops"),
		}
	})
	return Batch{
		Header:   Header{Cluster: rapid.Uint64().Draw(t, "cluster"), Sender: id.Draw(t, "sender")},
		Origin:   id.Draw(t, "origin"),
		Routes:   rapid.SliceOfN(route, 0, 5).Draw(t, "routes"),
		Progress: rapid.SliceOfN(progress, 0, 5).Draw(t, "progress"),
		Sections: rapid.SliceOfN(section, 0, 5).Draw(t, "sections"),
	}
}

func drawAnswers(t *rapid.T) []counter.Answer {
	answer := rapid.Custom(func(t *rapid.T) counter.Answer {
		a := counter.Answer{
			Partition: rapid.Uint32().Draw(t, "partition"), Code: counter.Code(rapid.IntRange(0, int(counter.Busy)).Draw(t, "code")),
			Epoch: number.Draw(t, "epoch"), Applied: number.Draw(t, "applied"), Persisted: number.Draw(t, "persisted"),
			Doubt: rapid.Bool().Draw(t, "doubt"),
		}
		if rapid.Bool().Draw(t, "named") {
			a.Owner = id.Draw(t, "owner")
		}
		last := uint64(0)
		for range rapid.IntRange(0, 6).Draw(t, "results") {
			last += rapid.Uint64Range(1, 1000).Draw(t, "step")
			r := counter.OpResult{Number: last, Code: counter.ResultCode(rapid.IntRange(0, 4).Draw(t, "code"))}
			if hasTotal(r.Code) {
				r.Total = delta.Draw(t, "total")
			}
			a.Results = append(a.Results, r)
		}
		return a
	})
	return rapid.SliceOfN(answer, 0, 6).Draw(t, "answers")
}

func TestBatch_ArrivesAsItWasSent(t *testing.T) {
	var got Batch // used again, as a server does
	rapid.Check(t, func(t *rapid.T) {
		sent := drawBatch(t)
		b := encode(&sent)
		if err := got.Decode(b); err != nil {
			t.Fatal(err)
		}
		if d := same(sent, got); d != "" {
			t.Fatal(d)
		}
		h, rest, err := DecodeHeader(b)
		if err != nil || h != sent.Header || len(rest) != len(b)-25 {
			t.Fatalf("header %+v, %d bytes behind it, %v", h, len(rest), err)
		}
	})
}

func TestAnswers_ArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := drawAnswers(t)
		got, err := DecodeAnswers(AppendAnswers(nil, sent), nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := same(sent, got); d != "" {
			t.Fatal(d)
		}
	})
}

func TestCopies_ArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sent := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Copy {
			return Copy{
				Partition: rapid.Uint32().Draw(t, "partition"), Persisted: number.Draw(t, "persisted"),
				First: max(1, number.Draw(t, "first")), Ops: rapid.SliceOfN(op, 0, 8).Draw(t, "ops"),
			}
		}), 0, 5).Draw(t, "copies")
		got, err := DecodeCopies(encodeCopies(sent))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(sent, got); d != "" {
			t.Fatal(d)
		}
		held := rapid.SliceOfN(number, 0, 8).Draw(t, "held")
		back, err := DecodeHeld(AppendHeld(nil, held), len(held))
		if d := same(held, back); err != nil || d != "" {
			t.Fatal(err, d)
		}
		if _, err := DecodeHeld(AppendHeld(nil, held), len(held)+1); err == nil {
			t.Fatal("one answer too few is taken")
		}
	})
}

func TestReads_ArriveAsTheyWereSent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ask := rapid.Custom(func(t *rapid.T) Ask { return Ask{Key: key.Draw(t, "key"), ID: key.Draw(t, "id")} })
		keys := rapid.SliceOfN(ask, 0, 10).Draw(t, "asks")
		got, err := DecodeReads(AppendReads(nil, keys), nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := same(keys, got); d != "" {
			t.Fatal(d)
		}
		results := make([]ReadResult, len(keys))
		for i := range results {
			results[i] = ReadResult{Code: ReadCode(rapid.IntRange(0, int(IDStored)).Draw(t, "code")), Total: delta.Draw(t, "total")}
			if results[i].Code.counted() {
				results[i].Fingerprint = rapid.Uint64().Draw(t, "fingerprint")
			}
		}
		answer := AppendReadResults(nil, results)
		back, err := DecodeReadResults(answer, len(keys))
		if err != nil {
			t.Fatal(err)
		}
		if d := same(results, back); d != "" {
			t.Fatal(d)
		}
		if _, err := DecodeReadResults(answer, len(keys)+1); err == nil {
			t.Fatal("one answer too few is taken")
		}
	})
}

// A message that is cut anywhere, or has something behind its end, is refused, whatever was cut off.
func TestDecode_RefusesMessagesThatAreCutOrTooLong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawBatch(t)
		answers := drawAnswers(t)
		reads := rapid.SliceOfN(rapid.Map(key, func(k string) Ask { return Ask{Key: k, ID: "i"} }), 0, 4).Draw(t, "reads")
		for what, c := range map[string]struct {
			b      []byte
			decode func([]byte) error
		}{
			"batch":   {encode(&m), func(b []byte) error { return new(Batch).Decode(b) }},
			"answers": {AppendAnswers(nil, answers), func(b []byte) error { _, err := DecodeAnswers(b, nil); return err }},
			"reads":   {AppendReads(nil, reads), func(b []byte) error { _, err := DecodeReads(b, nil); return err }},
		} {
			if err := c.decode(append(c.b[:len(c.b):len(c.b)], 0)); err == nil {
				t.Fatalf("%s with a byte behind its end is taken", what)
			}
			cut := rapid.IntRange(0, len(c.b)-1).Draw(t, "cut")
			if err := c.decode(c.b[:cut:cut]); err == nil {
				t.Fatalf("%s of %d bytes, cut to %d, is taken", what, len(c.b), cut)
			}
		}
	})
}

func TestDecode_RefusesWhatIsMangled(t *testing.T) {
	head := AppendOrigin(AppendHeader(nil, Header{}), counter.Origin{})
	batch := func(tail ...byte) func() error {
		return func() error { return new(Batch).Decode(append(head[:len(head):len(head)], tail...)) }
	}
	answers := func(b ...byte) func() error {
		return func() error { _, err := DecodeAnswers(b, nil); return err }
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01} // 2^64-1
	for what, decode := range map[string]func() error{
		"nothing":                          func() error { return new(Batch).Decode(nil) },
		"another version":                  func() error { return new(Batch).Decode(append([]byte{Version + 1}, head[1:]...)) },
		"a header of another version":      func() error { _, _, err := DecodeHeader(append([]byte{Version + 1}, head[1:]...)); return err },
		"more routes than bytes":           batch(append(huge, 0, 0)...),
		"more sections than bytes":         batch(append([]byte{0, 0}, huge...)...),
		"a varint without an end":          batch(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80),
		"a partition beyond 32 bits":       batch(0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x10, 1, 1, 0, 0),
		"a section from number 0":          batch(0, 0, 1, 0, 1, 0, 0, 0),
		"a key longer than the message":    batch(0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 9),
		"an empty key":                     batch(0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0),
		"an empty idempotency key":         batch(0, 0, 1, 0, 1, 1, 0, 1, opHasID, 0, 1, 'k', 0),
		"answers of another version":       answers(Version+1, 0),
		"an answer with an unknown code":   answers(Version, 1, 0, byte(counter.Busy)+1, 0, 0, 0, 0, 0),
		"an answer without its owner":      answers(Version, 1, 0, 0, answerOwner, 0, 0, 0, 0),
		"read results of another version":  func() error { _, err := DecodeReadResults([]byte{Version + 1, 0}, 0); return err },
		"read results with more behind it": func() error { _, err := DecodeReadResults([]byte{Version, 0, 0}, 0); return err },
	} {
		if err := decode(); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// A link leaves room for the count of sections before it knows it, as a varint that is longer than it must be.
func TestBatch_MayHaveAPaddedCount(t *testing.T) {
	b := AppendProgress(AppendRoutes(AppendOrigin(AppendHeader(nil, Header{}), counter.Origin{}), nil), nil)
	b = append(b, 0x81, 0x80, 0x80, 0x80, 0x00)
	b = AppendSection(b, &counter.Section{Partition: 3, Epoch: 2, First: 1})
	var m Batch
	if err := m.Decode(b); err != nil || len(m.Sections) != 1 || m.Sections[0].Partition != 3 {
		t.Fatalf("%+v, %v", m, err)
	}
}
