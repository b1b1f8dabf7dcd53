package node

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/pinocchio-nose/pinocchio/counter"
	"github.com/pinocchio-nose/pinocchio/node/wire"
)

// message is a batch of one section with one operation, as another node of the cluster would send it.
func message(n *Node, partition uint32, routes ...wire.Route) []byte {
	b := wire.AppendOrigin(wire.AppendHeader(nil, wire.Header{Cluster: n.header().Cluster, Sender: counter.Origin{1}}), counter.Origin{1})
	b = wire.AppendRoutes(b, routes)
	b = wire.AppendProgress(b, []wire.Progress{{Partition: partition, Number: 3}})
	b = append(b, 1)
	return wire.AppendSection(b, &counter.Section{Partition: partition, Epoch: 1, First: 1, Ops: []counter.Op{{Key: "k", Delta: 1}}})
}

// R13: who lacks the secret, or is of another cluster, gets nothing; and nothing that arrives mangled is taken in part.
func TestPeers_RefuseAndCountWhatIsNotOfThisCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	n := c.nodes[0]
	good := message(n.Node, 0)
	foreign := append([]byte(nil), good...)
	foreign[1] ^= 0xff // the cluster's digest
	version := append([]byte(nil), good...)
	version[0]++
	secret := otherAuth(t, secretText)
	for _, c := range []struct {
		what   string
		auth   *auth
		path   string
		body   []byte
		status int
		count  interface{ Get() uint64 } // nil: not counted
	}{
		{"a good message", secret, batchPath, good, 0, nil},
		{"no secret", otherAuth(t), batchPath, good, 403, n.count.strangers},
		{"another secret", otherAuth(t, "another secret of sixteen bytes"), batchPath, good, 403, n.count.strangers},
		{"another cluster", secret, batchPath, foreign, 409, n.count.strangers},
		{"another version", secret, batchPath, version, 400, n.count.mangled},
		{"nothing", secret, batchPath, nil, 400, n.count.mangled},
		{"cut short", secret, batchPath, good[:len(good)-1], 400, n.count.mangled},
		{"too long", secret, batchPath, append(append([]byte(nil), good...), 0), 400, n.count.mangled},
		{"an unknown partition", secret, batchPath, message(n.Node, testSettings().Partitions), 400, n.count.mangled},
		{"an unknown partition of a route", secret, batchPath, message(n.Node, 0, wire.Route{Partition: 1 << 30, Epoch: 1, Graceful: true, Owner: n.id}, wire.Route{Partition: 1 << 30, Epoch: 1}), 0, nil},
		{"mangled reads", secret, readPath, good, 400, n.count.mangled},
		{"another path", secret, "/peer/v1/other", good, 404, nil},
	} {
		var before uint64
		if c.count != nil {
			before = c.count.Get()
		}
		call := newCaller(n.id, n.PeerAddr(), c.auth)
		a, err := call.post(c.path, c.body, patience)
		if err == nil {
			a.release()
		}
		call.close()
		if (c.status == 0) != (err == nil) || (err != nil && !strings.Contains(err.Error(), fmt.Sprintf("status %d", c.status))) {
			t.Errorf("%s: %v, want status %d", c.what, err, c.status)
		}
		if err != nil && !errors.Is(err, errPeerRefused) {
			t.Errorf("%s: %v is not a refusal", c.what, err)
		}
		if c.count != nil && c.count.Get() != before+1 {
			t.Errorf("%s: not counted", c.what)
		}
	}
	if got := n.total("k"); got != 0 {
		t.Errorf("a stranger has counted %d", got)
	}
}

// A secret is replaced in rolling restarts; in each of the steps old and new nodes understand each other.
func TestCluster_CountsWhileItsSecretIsReplaced(t *testing.T) {
	t.Parallel()
	older, newer := []byte("the old secret, sixteen bytes"), []byte("the new secret, sixteen bytes")
	c := newCluster(t, 1, func(cfg *Config) { cfg.Secrets = [][]byte{older, newer} })
	want := map[string]int64{}
	count := func() {
		t.Helper()
		c.agree()
		for _, i := range c.live() {
			for k := range 20 {
				key := fmt.Sprintf("k%d", k)
				i.add(key, 1)
				want[key]++
			}
		}
	}
	for at, secrets := range [][][]byte{{newer, older}, {newer}} {
		cfg := c.config(fmt.Sprintf("n%d", at+2))
		cfg.Secrets = secrets
		c.startWith(cfg)
		count()
		c.nodes[at].leave()
	}
	count()
	c.exact(want)
}

// A node with another secret, though it reaches the store, takes part in nothing.
func TestCluster_KeepsOutANodeWithAnotherSecret(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	insider := c.nodes[0]
	cfg := c.config("stranger")
	cfg.Secrets = [][]byte{[]byte("another secret of sixteen bytes")}
	cfg.OwnerTimeout, cfg.DrainTimeout = 50*time.Millisecond, 100*time.Millisecond
	stranger := c.startWith(cfg)
	stranger.away.Store(true)
	eventually(t, func() error {
		r, err := stranger.Increment(Increment{Key: []byte("k"), Delta: 1})
		if err == nil && !r.Later {
			t.Fatalf("a stranger's increment is counted: %+v", r)
		}
		if insider.count.strangers.Get() == 0 {
			return errors.New("no message was refused")
		}
		return nil
	})
	if _, err := stranger.Total([]byte("k")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a stranger reads: %v", err)
	}
	eventually(t, func() error {
		if !strings.Contains(c.log.String(), "another node refuses this node's messages") {
			return errors.New("the refusal is not logged")
		}
		return nil
	})
	if err := stranger.stop(); err == nil || !strings.Contains(err.Error(), "did not reach the store") {
		t.Errorf("the stranger ended with: %v", err)
	}
	insider.add("k", 1)
	c.exact(map[string]int64{"k": 1})
}

// A broken invariant in a message's handler is answered and logged; it kills neither the node nor the partition's lock.
func TestPeers_SurviveAPanicOfAHandler(t *testing.T) {
	c := &cluster{t: t, store: openStore(t, sqliteURL(t)), log: &notebook{}}
	n, err := New(c.config("n"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := n.auth.numbers.Stream()
	serve := func() *fasthttp.RequestCtx {
		var ctx fasthttp.RequestCtx
		body := message(n, 5)
		ctx.Request.SetRequestURI("http://n" + batchPath)
		_, header := n.auth.keys.Seal(n.id, numbers.Next(), batchPath, body)
		ctx.Request.Header.SetBytesV(macHeader, header)
		ctx.Request.SetBody(body)
		n.servePeer(&ctx)
		return &ctx
	}
	sl := &n.slots.all[5]
	whole := sl.p
	sl.p = nil
	if got := serve().Response.StatusCode(); got != fasthttp.StatusInternalServerError {
		t.Errorf("status %d", got)
	}
	if !strings.Contains(c.log.String(), "made this node panic") {
		t.Error("the panic is not logged")
	}
	if !sl.mu.TryLock() {
		t.Fatal("the partition stays locked")
	}
	sl.p = whole
	sl.mu.Unlock()
	if got := serve().Response.StatusCode(); got != fasthttp.StatusOK {
		t.Errorf("afterwards: status %d", got)
	}
}
