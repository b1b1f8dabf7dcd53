package seal

import (
	"bytes"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"testing"
)

var older, newer = []byte("the old secret, sixteen bytes"), []byte("the new secret, sixteen bytes")

func keys(t testing.TB, secrets ...[]byte) *Keys {
	t.Helper()
	k, err := NewKeys(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpen_TakesWhatWasSealedWithAnyOfTheSecretsAndNothingElse(t *testing.T) {
	to, body := ID{1, 2, 3}, []byte("a body")
	_, header := keys(t, older, newer).Seal(to, 7, "/a", body)
	for _, c := range []struct {
		what    string
		secrets [][]byte
		path    string
		body    string
		header  []byte
		want    bool
	}{
		{"the same secrets", [][]byte{older, newer}, "/a", "a body", header, true},
		{"the first one as the second", [][]byte{newer, older}, "/a", "a body", header, true},
		{"the first one alone", [][]byte{older}, "/a", "a body", header, true},
		{"the second one alone", [][]byte{newer}, "/a", "a body", header, false},
		{"another path", [][]byte{older}, "/b", "a body", header, false},
		{"a byte moved from the body to the path", [][]byte{older}, "/aa", " body", header, false},
		{"another body", [][]byte{older}, "/a", "a bodY", header, false},
		{"no header", [][]byte{older}, "/a", "a body", nil, false},
		{"a short header", [][]byte{older}, "/a", "a body", header[:len(header)-2], false},
		{"a long header", [][]byte{older}, "/a", "a body", append(bytes.Clone(header), '0', '0'), false},
		{"a header that is not hexadecimal", [][]byte{older}, "/a", "a body", bytes.Replace(header, header[:1], []byte("g"), 1), false},
		{"no secret is required", nil, "/b", "whatever", nil, true},
	} {
		q, ok := keys(t, c.secrets...).Open(c.path, []byte(c.body), c.header)
		if ok != c.want {
			t.Errorf("%s: %v", c.what, ok)
		}
		if ok && len(c.secrets) > 0 && (q.To != to || q.Number != 7) {
			t.Errorf("%s: opened as %+v", c.what, q)
		}
	}
}

// Each bit of the header counts: receiver, number and MAC.
func TestOpen_RefusesAHeaderWithAnyBitChanged(t *testing.T) {
	k := keys(t, older)
	_, header := k.Seal(ID{9}, 7, "/a", []byte("body"))
	raw, err := hex.DecodeString(string(header))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(raw) {
		raw[i/8] ^= 1 << (i % 8)
		if _, ok := k.Open("/a", []byte("body"), hex.AppendEncode(nil, raw)); ok {
			t.Errorf("opened with bit %d changed", i)
		}
		raw[i/8] ^= 1 << (i % 8)
	}
}

func TestAnswered_OnlyByTheAnswerToThisVeryQuestion(t *testing.T) {
	asker, answerer, stranger := keys(t, older, newer), keys(t, newer, older), keys(t, newer)
	asked, header := asker.Seal(ID{1}, 1, "/a", []byte("body"))
	other, _ := asker.Seal(ID{1}, 2, "/a", []byte("body"))
	q, ok := answerer.Open("/a", []byte("body"), header)
	if !ok {
		t.Fatal("not opened")
	}
	if err := answerer.Replace([][]byte{newer}); err != nil { // between question and answer
		t.Fatal(err)
	}
	foreign, _ := stranger.Seal(ID{1}, 1, "/a", []byte("body"))
	answer := q.Answer(200, []byte("yes"))
	for _, c := range []struct {
		what   string
		q      Question
		status int
		body   string
		header []byte
		want   bool
	}{
		{"its answer", asked, 200, "yes", answer, true},
		{"the answer to another question", other, 200, "yes", answer, false},
		{"another status", asked, 421, "yes", answer, false},
		{"another body", asked, 200, "yeS", answer, false},
		{"no header", asked, 200, "yes", nil, false},
		{"not hexadecimal", asked, 200, "yes", bytes.Replace(answer, answer[:1], []byte("g"), 1), false},
		{"the question's own MAC", asked, 200, "yes", header[len(header)-64:], false},
		{"sealed with another key", asked, 200, "yes", foreign.Answer(200, []byte("yes")), false},
		{"nothing is sealed", Question{}, 200, "whatever", nil, true},
	} {
		if got := c.q.Answered(c.status, []byte(c.body), c.header); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if h := (&Question{}).Answer(200, nil); h != nil {
		t.Errorf("sealed without a secret: %s", h)
	}
}

func TestStream_NeverGivesANumberTwiceAndALaterStreamGivesHigherOnes(t *testing.T) {
	var n Numbers
	first := n.Stream()
	var seen sync.Map
	var all sync.WaitGroup
	var highest atomic.Uint64
	for range 4 {
		all.Go(func() {
			for range 1000 {
				v := first.Next()
				if _, twice := seen.LoadOrStore(v, true); twice {
					t.Errorf("%d twice", v)
				}
				for h := highest.Load(); v > h && !highest.CompareAndSwap(h, v); h = highest.Load() {
				}
			}
		})
	}
	all.Wait()
	if got := n.Stream().Next(); got <= highest.Load() {
		t.Errorf("the second stream begins with %d, the first gave %d", got, highest.Load())
	}
}

func FuzzOpen(f *testing.F) {
	k := keys(f, older, newer)
	_, header := k.Seal(ID{1}, 7, "/a", []byte("body"))
	f.Add("/a", []byte("body"), header)
	f.Add("", []byte{}, bytes.Repeat([]byte("0"), HeaderLength))
	f.Fuzz(func(t *testing.T, path string, body, got []byte) {
		q, ok := k.Open(path, body, got)
		if !ok {
			if q != (Question{}) {
				t.Errorf("refused with %+v", q)
			}
			return
		}
		// Only what was sealed opens; hexadecimal digits have two forms.
		if path != "/a" || string(body) != "body" || !bytes.EqualFold(got, header) {
			t.Errorf("opened %q %q %q", path, body, got)
		}
	})
}
