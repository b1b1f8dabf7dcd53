package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"unsafe"
)

const (
	macBytes     = sha256.Size
	sealBytes    = 16 + 8 + macBytes
	sealedLabel  = "question"
	answerLabel  = "answer  " // as long as the other: where the fields begin depends on nothing that is sent
	headLength   = len(sealedLabel) + 16 + 8 + 4
	HeaderLength = 2 * sealBytes // HeaderLength is how many characters a question's header has.
)

// Question is a question that was sealed or opened: what its answer is bound to. The zero Question belongs to no key.
type Question struct {
	To     ID     // the process that it is for
	Number uint64 // of the question, among those of its sender to To
	key    *key
	mac    [macBytes]byte
}

// Seal returns the header for a question to a process, nil without secrets. No two questions of this process to the same one may
// have the same number.
func (k *Keys) Seal(to ID, number uint64, path string, body []byte) (q Question, header []byte) {
	list := *k.list.Load()
	if len(list) == 0 {
		return Question{}, nil
	}
	q = Question{To: to, Number: number, key: list[0]}
	q.mac = q.sum(list[0], path, body)
	var raw [sealBytes]byte
	copy(raw[:], to[:])
	binary.BigEndian.PutUint64(raw[16:], number)
	copy(raw[24:], q.mac[:])
	return q, hex.AppendEncode(make([]byte, 0, HeaderLength), raw[:])
}

// Open checks a question's header. ok is true when it was sealed with one of the secrets, or when there are none. Whom it is for, and
// whether its number is new, is the caller's to check.
func (k *Keys) Open(path string, body, header []byte) (q Question, ok bool) {
	list := *k.list.Load()
	if len(list) == 0 {
		return Question{}, true
	}
	var raw [sealBytes]byte
	if len(header) != HeaderLength {
		return Question{}, false
	}
	if _, err := hex.Decode(raw[:], header); err != nil {
		return Question{}, false
	}
	copy(q.To[:], raw[:])
	q.Number = binary.BigEndian.Uint64(raw[16:])
	for _, key := range list {
		if sum := q.sum(key, path, body); hmac.Equal(sum[:], raw[24:]) {
			q.key, q.mac = key, sum
			return q, true
		}
	}
	return Question{}, false
}

// sum is the MAC over everything that a question says.
func (q *Question) sum(k *key, path string, body []byte) (mac [macBytes]byte) {
	var head [headLength]byte
	at := copy(head[:], sealedLabel)
	at += copy(head[at:], q.To[:])
	binary.BigEndian.PutUint64(head[at:], q.Number)
	binary.BigEndian.PutUint32(head[at+8:], uint32(len(path)))
	k.mac(mac[:0], head[:], unsafe.Slice(unsafe.StringData(path), len(path)), body)
	return mac
}

// Answer returns the header for the question's answer, nil where nothing is sealed.
func (q *Question) Answer(status int, body []byte) []byte {
	if q.key == nil {
		return nil
	}
	mac := q.answer(status, body)
	return hex.AppendEncode(make([]byte, 0, 2*macBytes), mac[:])
}

// Answered tells whether an answer comes from one who holds the question's key, and is the answer to this very question. Where nothing is
// sealed every answer is.
func (q *Question) Answered(status int, body, header []byte) bool {
	if q.key == nil {
		return true
	}
	var got [macBytes]byte
	if len(header) != 2*macBytes {
		return false
	}
	if _, err := hex.Decode(got[:], header); err != nil {
		return false
	}
	want := q.answer(status, body)
	return hmac.Equal(want[:], got[:])
}

func (q *Question) answer(status int, body []byte) (mac [macBytes]byte) {
	var head [len(answerLabel) + macBytes + 4]byte
	at := copy(head[:], answerLabel)
	at += copy(head[at:], q.mac[:])
	binary.BigEndian.PutUint32(head[at:], uint32(status))
	q.key.mac(mac[:0], head[:], body)
	return mac
}
