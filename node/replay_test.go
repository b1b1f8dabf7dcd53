package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/internal/certs"
	"github.com/pinocchio-nose/pinocchio/internal/seal"
)

// otherAuth is what another process with these secrets knows.
func otherAuth(t *testing.T, secrets ...string) *auth {
	t.Helper()
	var raw [][]byte
	for _, s := range secrets {
		raw = append(raw, []byte(s))
	}
	a, err := newAuth(raw, certs.Mutual{}, func(seal.ID) bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// recorded is a message as somebody on the network sees it.
type recorded struct {
	path         string
	header, body []byte
}

func record(a *auth, to counter.Origin, number uint64, body []byte) recorded {
	_, header := a.keys.Seal(to, number, batchPath, body)
	return recorded{batchPath, header, body}
}

// send sends what was recorded to a node, and returns the status.
func (r recorded) send(t *testing.T, addr string) int {
	t.Helper()
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetRequestURI("http://" + addr + r.path)
	req.Header.SetBytesV(macHeader, r.header)
	req.SetBodyRaw(r.body)
	req.SetConnectionClose()
	if err := fasthttp.DoTimeout(req, resp, patience); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode()
}

// R13: somebody who records what nodes say to each other gains nothing by it.
func TestR13_RecordedMessagesAreRefusedAndCounted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	n, other := c.nodes[0], c.nodes[1]
	a, body := otherAuth(t, secretText), message(n.Node, 0)
	first := record(a, n.id, 7, body)
	flipped := func(at int, header bool) recorded {
		r := recorded{first.path, bytes.Clone(first.header), bytes.Clone(first.body)}
		if header {
			raw, _ := hex.DecodeString(string(r.header))
			raw[at] ^= 1
			r.header = hex.AppendEncode(nil, raw)
		} else {
			r.body[at] ^= 1
		}
		return r
	}
	elsewhere := first
	elsewhere.path = readPath
	for _, c := range []struct {
		what   string
		r      recorded
		to     *instance
		status int
		count  interface{ Get() uint64 } // of the node it goes to; nil: not counted
	}{
		{"the message itself", first, n, 200, nil},
		{"again to the same process", first, n, 425, n.count.repeated},
		{"to another process", first, other, 421, other.count.misdirected},
		{"to another path", elsewhere, n, 403, n.count.strangers},
		{"for another process", flipped(0, true), n, 403, n.count.strangers},
		{"with another number", flipped(23, true), n, 403, n.count.strangers},
		{"with another signature", flipped(24, true), n, 403, n.count.strangers},
		{"of another version", flipped(0, false), n, 403, n.count.strangers},
		{"of another cluster", flipped(1, false), n, 403, n.count.strangers},
		{"of another sender", flipped(10, false), n, 403, n.count.strangers},
		{"with another operation", flipped(len(body)-1, false), n, 403, n.count.strangers},
		{"without a signature", recorded{batchPath, nil, body}, n, 403, n.count.strangers},
		{"a message of its own with the same number", record(a, n.id, 7, body), n, 425, n.count.repeated},
		{"the number before, which was on its way for longer", record(a, n.id, 6, body), n, 200, nil},
		{"the next number", record(a, n.id, 8, body), n, 200, nil},
	} {
		all := []interface{ Get() uint64 }{c.to.count.repeated, c.to.count.misdirected, c.to.count.strangers, c.to.count.mangled}
		var before uint64
		for _, m := range all {
			before += m.Get()
		}
		var counted uint64
		if c.count != nil {
			counted = c.count.Get() + 1
		}
		if got := c.r.send(t, c.to.PeerAddr()); got != c.status {
			t.Errorf("%s: status %d, want %d", c.what, got, c.status)
		}
		var after uint64
		for _, m := range all {
			after += m.Get()
		}
		if c.count != nil && c.count.Get() != counted || after-before != uint64(bit(c.count != nil)) {
			t.Errorf("%s: counted %d times", c.what, after-before)
		}
	}
	page := &strings.Builder{}
	n.WriteMetrics(page)
	if !strings.Contains(page.String(), `pinocchio_peer_replayed_total{kind="repeated"} 2`) {
		t.Error("the metrics do not show two repeated messages")
	}
	if log := c.log.String(); !strings.Contains(log, "compare the secret files") || strings.Contains(log, secretText) {
		t.Error("the log does not say what to do, or it shows the secret")
	}
	if got := strings.Count(c.log.String(), "not signed with this cluster's secret"); got != 1 {
		t.Errorf("nine refusals are %d lines in the log", got)
	}
}

// A man in the middle cannot answer in a node's place, nor make its answers those to other questions.
func TestR13_ForgedAnswersAreNotBelieved(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	genuine := func(r *http.Request, body []byte) (int, string, []byte) {
		req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(resp)
		req.Header.SetMethod(fasthttp.MethodPost)
		req.SetRequestURI("http://" + n.PeerAddr() + r.URL.Path)
		req.Header.Set(macHeader, r.Header.Get(macHeader))
		req.SetBodyRaw(body)
		req.SetConnectionClose()
		if err := fasthttp.DoTimeout(req, resp, patience); err != nil {
			t.Error(err)
		}
		return resp.StatusCode(), string(resp.Header.Peek(macHeader)), bytes.Clone(resp.Body())
	}
	var numbers seal.Numbers // of the one sender that all callers play
	var kept string          // the signature of the first answer
	for _, c := range []struct {
		what  string
		forge func(status int, mac string, body []byte) (int, string, []byte)
		want  error
	}{
		{"passed on", func(s int, m string, b []byte) (int, string, []byte) { kept = m; return s, m, b }, nil},
		{"changed", func(s int, m string, b []byte) (int, string, []byte) { b[len(b)-1] ^= 1; return s, m, b }, errPeerForged},
		{"cut", func(s int, m string, b []byte) (int, string, []byte) { return s, m, b[:len(b)-1] }, errPeerForged},
		{"without a signature", func(s int, _ string, b []byte) (int, string, []byte) { return s, "", b }, errPeerForged},
		{"that of an earlier question", func(s int, _ string, b []byte) (int, string, []byte) { return s, kept, b }, errPeerForged},
		{"said to be another process'", func(_ int, m string, b []byte) (int, string, []byte) { return 421, m, b }, errPeerRefused},
		{"a refusal in its own words", func(int, string, []byte) (int, string, []byte) { return 403, "", []byte("forged\nline") }, errPeerRefused},
	} {
		middle := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var in bytes.Buffer
			_, _ = in.ReadFrom(r.Body)
			status, mac, body := c.forge(genuine(r, in.Bytes()))
			w.Header().Set(macHeader, mac)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}))
		a := otherAuth(t, secretText)
		call := newCaller(n.id, middle.Listener.Addr().String(), a)
		call.numbers = numbers.Stream()
		got, err := call.post(batchPath, message(n.Node, 0), patience)
		if err == nil {
			got.release()
		}
		if !errors.Is(err, c.want) || (err != nil && (strings.Contains(err.Error(), "forged\n") || isRefused(err))) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
		call.close()
		middle.Close()
	}
}

// What a node says to a process that is gone, whose address another one has by now, is neither taken nor a stranger's.
func TestR13_AnotherProcessAtTheAddressIsToldApart(t *testing.T) {
	t.Parallel()
	n := newCluster(t, 1, nil).nodes[0]
	call := newCaller(counter.Origin{7}, n.PeerAddr(), otherAuth(t, secretText))
	defer call.close()
	if _, err := call.post(batchPath, message(n.Node, 0), patience); !errors.Is(err, errPeerGone) || !isRefused(err) {
		t.Errorf("%v", err)
	}
}

func TestNode_RefusesSecretsThatDoNotFit(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	open := c.config("open")
	open.Secrets = nil
	without, err := New(open)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		what    string
		node    *Node
		secrets [][]byte
	}{
		{"none", c.nodes[0].Node, nil},
		{"a short one", c.nodes[0].Node, [][]byte{[]byte(secretText), []byte("short")}},
		{"one for a node that was started without", without, [][]byte{[]byte(secretText)}},
	} {
		if err := s.node.SetSecrets(s.secrets); err == nil {
			t.Errorf("%s: taken", s.what)
		}
	}
	if got := fmt.Sprintf("%s", c.nodes[0].auth.secrets); got != "["+secretText+"]" {
		t.Errorf("the secrets are now %s", got)
	}
}

// The three steps of a rotation, while two nodes count: no increment fails, none is late, no message is refused, and in the end the old
// secret opens nothing.
func TestR13_SecretIsReplacedUnderLoadWithoutOneFailure(t *testing.T) {
	t.Parallel()
	older, newer := []byte("the old secret, sixteen bytes"), []byte("the new secret, sixteen bytes")
	c := newCluster(t, 2, func(cfg *Config) { cfg.Secrets = [][]byte{older} })
	var all sync.WaitGroup
	var stop atomic.Bool
	var counts [2]atomic.Int64
	for at, i := range c.nodes {
		all.Go(func() {
			for n := 0; !stop.Load(); n++ {
				r, err := i.Increment(Increment{Key: fmt.Appendf(nil, "k%d", n%50), Delta: 1})
				if err != nil || r.Later {
					t.Errorf("%s: %+v, %v", i.cfg.Name, r, err)
					return
				}
				counts[at].Add(1)
			}
		})
	}
	progress := func() {
		t.Helper()
		before := [2]int64{counts[0].Load(), counts[1].Load()}
		eventually(t, func() error {
			for at := range counts {
				if counts[at].Load() < before[at]+200 {
					return errors.New("too few increments")
				}
			}
			return nil
		})
	}
	progress()
	for _, secrets := range [][][]byte{{older, newer}, {newer, older}, {newer}} {
		for _, i := range c.nodes {
			if err := i.SetSecrets(secrets); err != nil {
				t.Error(err)
			}
			progress()
		}
	}
	stop.Store(true)
	all.Wait()
	for _, i := range c.nodes {
		for what, n := range map[string]uint64{
			"strangers": i.count.strangers.Get(), "mangled": i.count.mangled.Get(), "repeated": i.count.repeated.Get(),
			"forged": i.count.forged.Get(), "faults": i.count.peerFaults.Get(), "gossip": i.gossip.Stats().Rejected,
		} {
			if n != 0 {
				t.Errorf("%s: %d %s", i.cfg.Name, n, what)
			}
		}
	}
	n := c.nodes[0]
	if status := record(otherAuth(t, string(older)), n.id, 1, message(n.Node, 0)).send(t, n.PeerAddr()); status != 403 {
		t.Errorf("the old secret: status %d", status)
	}
	want := map[string]int64{}
	for at := range counts {
		for k := range counts[at].Load() {
			want[fmt.Sprintf("k%d", k%50)]++
		}
	}
	c.exact(want)
}
