package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
	"github.com/pinocchio-nose/pinocchio/internal/certs/certtest"
)

func TestTop_CountsANodeOnceThatWasKilledAndStartedAgain(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	c := topCmd{Interval: 10 * time.Second}
	addr := base[len("http://"):]
	cluster := client.Cluster{Cluster: "c", Members: []client.Member{
		{ID: "first", Name: "n1", HTTPAddr: addr},
		{ID: "second", Name: "n1", HTTPAddr: addr, Alive: true},
	}}
	c.Server = []string{base}
	before := c.lookAtAll(t.Context(), cluster)
	increment(t, base, "k")
	var out bytes.Buffer
	if err := newTopReport(cluster, before, c.lookAtAll(t.Context(), cluster)).write(&out); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`n1 +gone +- +- +- +- +replaced\nn1 +alive +\d+ +271 `).MatchString(out.String()) {
		t.Errorf("%s", out.String())
	}
}

func TestTop_ShowsTheRateOfARealNodeOnceAndUntilStopped(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	live := begin(t, "top", "--server", base, "--interval", "50ms")
	live.says(&live.out, `n1 +alive +0 +271 `)
	for counted := false; !counted; counted = regexp.MustCompile(`n1 +alive +[1-9]\d* +271 `).MatchString(live.out.String()) {
		increment(t, base, "k")
	}
	if status := live.end(); status != exitOK {
		t.Errorf("stopped with status %d", status)
	}
	once := outputOf(t, exitOK, "top", "--server", base, "--interval", "20ms", "--once")
	if !regexp.MustCompile(`n1 +alive +0 +271 .*trusted`).MatchString(once) || regexp.MustCompile(`\x1b`).MatchString(once) {
		t.Errorf("%q", once)
	}
	outputOf(t, exitFailed, "top", "--server", "127.0.0.1:1", "--once")
	outputOf(t, exitUsage, "top", "--interval", "0s")
}

func TestTop_WatchesAClusterThatSpeaksTLS(t *testing.T) {
	ca, store := certtest.New(t), "sqlite:"+fileIn(t, "counters.db")
	cert, key := issued(t, ca)
	flags := []string{"--tls-cert", cert, "--tls-key", key}
	first, base := serve(t, "n1", store, flags...)
	serve(t, "n2", store, flags...)
	first.says(&first.err, `msg="handing partitions over"`) // it has seen the other
	secure := "https://" + strings.TrimPrefix(base, "http://")
	for command, row := range map[string]string{
		"top --once --interval 200ms": `(?m)^n%d +alive +[-0] +\d+ +0 +0\.0 s +trusted$`,
		"cluster":                     `(?m)^n%d +alive +\d\.\d s +\d+ +\d+ +0 +0\.0 s +127`,
	} {
		args := append(strings.Fields(command), "--server", secure, "--ca")
		got := outputOf(t, exitOK, append(args, ca.File)...)
		for n := 1; n <= 2; n++ {
			if !regexp.MustCompile(fmt.Sprintf(row, n)).MatchString(got) {
				t.Errorf("%s: n%d was not asked over https:\n%s", command, n, got)
			}
		}
	}
	outputOf(t, exitFailed, "top", "--once", "--server", secure, "--ca", certtest.New(t).File)
}

// A member that does not answer must not use up the time of the others.
func TestTop_AsksAllMembersAtOnce(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = deaf.Close() }()
	c := topCmd{Interval: time.Second}
	c.Server = []string{base}
	looks := c.lookAtAll(t.Context(), client.Cluster{Members: []client.Member{
		{ID: "deaf", HTTPAddr: deaf.Addr().String(), Alive: true},
		{ID: "n1", HTTPAddr: strings.TrimPrefix(base, "http://"), Alive: true},
	}})
	if looks["deaf"].err == nil || looks["n1"].err != nil || looks["n1"].owned != 271 {
		t.Errorf("%+v", looks)
	}
}

func TestTop_PrintsJSON(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	var got topReport
	text := outputOf(t, exitOK, "top", "--server", base, "--interval", "20ms", "--once", "--json")
	if err := json.Unmarshal([]byte(text), &got); err != nil || strings.Count(text, "\n") != 1 {
		t.Fatalf("%v: %s", err, text)
	}
	if got.Cluster != "pinocchio" || got.Partitions != 271 || len(got.Members) != 1 {
		t.Fatalf("%s", text)
	}
	m := got.Members[0]
	if m.Name != "n1" || m.State != "alive" || m.Rate == nil || *m.Rate != 0 || m.Owned != 271 || !m.Trusted || m.Error != "" {
		t.Errorf("%s", text)
	}
}
