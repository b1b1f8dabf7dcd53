package wire

import (
	"encoding/binary"

	"github.com/pinocchio-nose/pinocchio/counter"
)

const (
	answerDoubt = 1 << iota
	answerOwner
)

// AppendAnswers appends the answer to a batch.
func AppendAnswers(b []byte, answers []counter.Answer) []byte {
	b = append(b, Version)
	b = binary.AppendUvarint(b, uint64(len(answers)))
	for i := range answers {
		b = appendAnswer(b, &answers[i])
	}
	return b
}

func appendAnswer(b []byte, a *counter.Answer) []byte {
	named := a.Owner != counter.Origin{}
	b = binary.AppendUvarint(b, uint64(a.Partition))
	b = append(b, byte(a.Code), flag(a.Doubt, answerDoubt)|flag(named, answerOwner))
	b = binary.AppendUvarint(b, a.Epoch)
	b = binary.AppendUvarint(b, a.Applied)
	b = binary.AppendUvarint(b, a.Persisted)
	if named {
		b = append(b, a.Owner[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(a.Results)))
	last := uint64(0)
	for _, r := range a.Results {
		b = binary.AppendUvarint(b, r.Number-last)
		b = append(b, byte(r.Code))
		if hasTotal(r.Code) {
			b = binary.AppendVarint(b, r.Total)
		}
		last = r.Number
	}
	return b
}

// DecodeAnswers reads the answer to a batch, appending to into.
func DecodeAnswers(b []byte, into []counter.Answer) ([]counter.Answer, error) {
	r := reader{b: b}
	if v := r.byte(); v != Version {
		r.fail("version %d, this node speaks %d", v, Version)
	}
	for n := r.count(7); n > 0 && r.err == nil; n-- {
		into = append(into, r.answer())
	}
	return into, r.end()
}

func hasTotal(c counter.ResultCode) bool { return c == counter.Total || c == counter.Replayed }

func (r *reader) answer() counter.Answer {
	a := counter.Answer{Partition: r.u32(), Code: counter.Code(r.byte())}
	flags := r.byte()
	a.Doubt = flags&answerDoubt != 0
	a.Epoch, a.Applied, a.Persisted = r.uvarint(), r.uvarint(), r.uvarint()
	if flags&answerOwner != 0 {
		a.Owner = r.id()
	}
	last := uint64(0)
	for n := r.count(2); n > 0 && r.err == nil; n-- {
		last += r.uvarint()
		res := counter.OpResult{Number: last, Code: counter.ResultCode(r.byte())}
		if hasTotal(res.Code) {
			res.Total = r.varint()
		}
		a.Results = append(a.Results, res)
	}
	if a.Code > counter.Busy {
		r.fail("unknown code %d", a.Code)
	}
	return a
}
