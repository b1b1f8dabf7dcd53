package gossip

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// keyOf returns a key that is another one for each letter.
func keyOf(t *testing.T, letter byte) []byte {
	t.Helper()
	key, err := DeriveKey(bytes.Repeat([]byte{letter}, minSecret))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// met is how a node and one that must not get in ended up.
type met struct {
	member, stranger       *Gossip
	memberLog, strangerLog *recorder
}

// meet starts a member and a stranger that has it as seed, and waits until the stranger tried three times in vain.
func meet(t *testing.T, change func(member, stranger *Config)) met {
	t.Helper()
	m := met{memberLog: &recorder{}, strangerLog: &recorder{}}
	a, b := quick("member"), quick("stranger")
	a.Logger, b.Logger = m.memberLog.logger(slog.LevelInfo), m.strangerLog.logger(slog.LevelInfo)
	change(&a, &b)
	m.member = start(t, a)
	b.Seeds = []string{m.member.LocalAddr()}
	m.stranger = start(t, b)
	eventually(t, func() string { return "the stranger tries three times" },
		func() bool { return m.stranger.Stats().JoinFailures >= 3 })
	for _, g := range []*Gossip{m.member, m.stranger} {
		if n := len(g.Members()); n != 1 {
			t.Errorf("%s has %d members: %v", g.cfg.Meta.Name, n, memberNames(g))
		}
	}
	if m.stranger.Stats().Joins != 0 {
		t.Error("the stranger believes that it joined")
	}
	if n := m.strangerLog.count("level=WARN", "seeds are not reached"); n != 1 {
		t.Errorf("the stranger's failure was logged %d times, not once:\n%s", n, m.strangerLog)
	}
	return m
}

func TestR13_ANodeStaysOutWhenItsKeyDiffers(t *testing.T) {
	a, b, c := keyOf(t, 'a'), keyOf(t, 'b'), keyOf(t, 'c')
	for name, keys := range map[string]struct{ member, stranger [][]byte }{
		"another key":               {[][]byte{a}, [][]byte{b}},
		"no key":                    {[][]byte{a}, nil},
		"a key where there is none": {nil, [][]byte{b}},
		"only reads the right one":  {[][]byte{a}, [][]byte{b, a}},
		"none of two":               {[][]byte{a, b}, [][]byte{c}},
		"half of the right one":     {[][]byte{a}, [][]byte{a[:16]}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := meet(t, func(member, stranger *Config) { member.Keys, stranger.Keys = keys.member, keys.stranger })
			if m.member.Stats().Rejected == 0 {
				t.Errorf("the member did not count what it dropped; it logged:\n%s", m.memberLog)
			}
			if n := m.memberLog.count("level=WARN", "library=memberlist"); n != 1 {
				t.Errorf("the member warned %d times, not once:\n%s", n, m.memberLog)
			}
			if n := m.memberLog.count("level=ERROR"); n != 0 {
				t.Errorf("a stranger is no error of this node:\n%s", m.memberLog)
			}
		})
	}
}

func TestGossip_KeepsOutANodeOfAnotherCluster(t *testing.T) {
	m := meet(t, func(_, stranger *Config) { stranger.ClusterName = "other" })
	if m.member.Stats().Rejected == 0 || m.memberLog.count("level=WARN", "unacceptable label") != 1 {
		t.Errorf("stats %+v, log:\n%s", m.member.Stats(), m.memberLog)
	}
}

func TestR11_ANodeIsRefusedOnceCountedAndNamedWhenItsSettingsDiffer(t *testing.T) {
	m := meet(t, func(_, stranger *Config) { stranger.Meta.Settings = "partitions=1021" })
	for _, side := range []struct {
		g   *Gossip
		log *recorder
	}{{m.member, m.memberLog}, {m.stranger, m.strangerLog}} {
		if n := side.g.Stats().Refused; n != 1 {
			t.Errorf("%s refused %d nodes, not one", side.g.cfg.Meta.Name, n)
		}
		if n := side.log.count("level=WARN", "node refused", "partitions=271", "partitions=1021"); n != 1 {
			t.Errorf("%s logged the difference %d times, not once:\n%s", side.g.cfg.Meta.Name, n, side.log)
		}
	}
}

func TestR11_ANodeWithOtherSettingsStaysOutWhenItReachesOneMemberOfMany(t *testing.T) {
	nodes := startCluster(t, 3, nil)
	c := quick("stranger")
	c.Meta.Settings = "partitions=1021"
	c.Seeds = []string{nodes[0].LocalAddr(), nodes[1].LocalAddr(), nodes[2].LocalAddr()}
	s := start(t, c)
	eventually(t, func() string { return "all three were tried" }, func() bool { return s.Stats().JoinFailures >= 6 })
	for _, g := range append(nodes, s) {
		want := names(3)
		if g == s {
			want = []string{"stranger"}
		}
		waitMembers(t, g, want...)
	}
	if n := s.Stats().Refused; n != 3 {
		t.Errorf("the stranger refused %d nodes, not all three", n)
	}
}

// rude is a memberlist without this package's checks, as a build of another time could be.
type rude struct{ meta []byte }

func (r rude) NodeMeta(int) []byte             { return r.meta }
func (r rude) NotifyMsg([]byte)                {}
func (r rude) GetBroadcasts(int, int) [][]byte { return nil }
func (r rude) LocalState(bool) []byte          { return nil }
func (r rude) MergeRemoteState([]byte, bool)   {}

// A refused join is not the only way in: the stranger now knows the member, and tells it of itself in gossip and in
// state exchanges that are no joins.
func TestR11_ANodeWithOtherSettingsStaysOutWhenItDoesNotCheckThemItself(t *testing.T) {
	member := start(t, quick("member"))
	meta, _ := Meta{Name: "rude", Settings: "partitions=1021"}.encode()
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.Delegate, c.LogOutput = "rude", "test", rude{meta}, io.Discard
	c.BindAddr, c.BindPort, c.AdvertisePort = "127.0.0.1", 0, 0
	c.ProbeInterval, c.ProbeTimeout = 100*time.Millisecond, 50*time.Millisecond
	c.GossipInterval, c.PushPullInterval = 10*time.Millisecond, 50*time.Millisecond
	stranger, err := memberlist.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Shutdown() }()
	if _, err := stranger.Join([]string{member.LocalAddr()}); err != nil {
		t.Fatal(err)
	}
	if n := stranger.NumMembers(); n != 2 {
		t.Fatalf("the stranger does not know the member: %d", n)
	}
	for range 5 { // each makes the member hear of a newer stranger
		_ = stranger.UpdateNode(patience)
		if got := memberNames(member); len(got) != 1 {
			t.Fatalf("the stranger got in: %v", got)
		}
	}
	if s := member.Stats(); s.Refused != 1 {
		t.Errorf("stats %+v: want one node refused", s)
	}
}

func TestKeys_AreChangedWithoutLosingAMemberInThreeSteps(t *testing.T) {
	before, after := keyOf(t, 'a'), keyOf(t, 'b')
	steps := [][][]byte{{before}, {before, after}, {after, before}, {after}}
	for i := 1; i < len(steps); i++ { // in a rolling restart nodes of two neighbouring steps run together
		t.Run(fmt.Sprintf("step %d", i), func(t *testing.T) {
			t.Parallel()
			nodes := startCluster(t, 3, func(n int, c *Config) { c.Keys = steps[i-n%2] })
			for _, g := range nodes {
				if s := g.Stats(); s.Rejected != 0 {
					t.Errorf("%s dropped %d messages", g.cfg.Meta.Name, s.Rejected)
				}
			}
		})
	}
}

func TestRoster_KeepsOutMetadataThatItCannotRead(t *testing.T) {
	log := &recorder{}
	c := quick("n1")
	c.Logger = log.logger(slog.LevelInfo)
	r := newRoster(c.clone())
	meta, _ := c.Meta.encode()
	meta[0] = metaVersion + 1
	n := &memberlist.Node{Name: "x", Addr: []byte{127, 0, 0, 1}, Port: 1, Meta: meta}
	for range 2 {
		if err := r.NotifyAlive(n); err == nil || !strings.Contains(err.Error(), errMetaFormat.Error()) {
			t.Errorf("got %v", err)
		}
	}
	r.NotifyJoin(n)
	if members, refused := r.counts(); members != 0 || refused != 1 || log.count("node refused") != 1 {
		t.Errorf("%d members, %d refused, log:\n%s", members, refused, log)
	}
}

func TestRoster_AcceptsItselfWhateverItsMetadata(t *testing.T) {
	r := newRoster(quick("n1").clone())
	if err := r.NotifyAlive(&memberlist.Node{Name: r.self}); err != nil {
		t.Error(err)
	}
}

func TestRoster_TakesNobodyInAfterItsEnd(t *testing.T) {
	c := quick("n1")
	r := newRoster(c.clone())
	meta, _ := c.Meta.encode()
	n := &memberlist.Node{Name: "x", Addr: []byte{127, 0, 0, 1}, Port: 1, Meta: meta}
	r.NotifyJoin(n)
	if len(r.list()) != 1 {
		t.Fatal("it takes nobody in at all")
	}
	r.end()
	r.NotifyJoin(n)
	if members := r.list(); len(members) != 0 {
		t.Errorf("members %v", members)
	}
}

func TestRoster_JudgesAListByItsLivingMembers(t *testing.T) {
	r := newRoster(quick("n1").clone())
	node := func(name, settings string, state memberlist.NodeStateType) *memberlist.Node {
		meta, _ := Meta{Name: name, Settings: settings}.encode()
		return &memberlist.Node{Name: name, Meta: meta, State: state}
	}
	good := node("good", r.settings, memberlist.StateAlive)
	bad := node("bad", "other", memberlist.StateAlive)
	dead := node("dead", "other", memberlist.StateDead)
	for name, c := range map[string]struct {
		peers   []*memberlist.Node
		refused bool
	}{
		"nobody":          {nil, false},
		"one that fits":   {[]*memberlist.Node{good}, false},
		"one that is bad": {[]*memberlist.Node{bad}, true},
		"some that fit":   {[]*memberlist.Node{bad, good}, false},
		"a dead bad one":  {[]*memberlist.Node{dead}, false},
		"bad and myself":  {[]*memberlist.Node{{Name: r.self}, bad}, true},
	} {
		if err := r.NotifyMerge(c.peers); (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestR10_RefusedNodesAreNotRememberedWithoutBound(t *testing.T) {
	r := newRoster(quick("n1").clone())
	for i := range 3 * maxRefused {
		_ = r.NotifyAlive(&memberlist.Node{Name: fmt.Sprint(i)})
	}
	if _, refused := r.counts(); refused != 3*maxRefused || len(r.mu.refused) > maxRefused {
		t.Errorf("%d counted, %d remembered", refused, len(r.mu.refused))
	}
}
