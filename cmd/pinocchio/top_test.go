package main

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/client"
)

func TestTop_CountsANodeOnceThatWasKilledAndStartedAgain(t *testing.T) {
	_, base := serve(t, "n1", "sqlite:"+fileIn(t, "counters.db"))
	c := topCmd{Interval: 10 * time.Second}
	addr := base[len("http://"):]
	cluster := client.Cluster{Cluster: "c", Members: []client.Member{
		{ID: "first", Name: "n1", HTTPAddr: addr},
		{ID: "second", Name: "n1", HTTPAddr: addr, Alive: true},
	}}
	before := c.lookAtAll(t.Context(), cluster)
	increment(t, base, "k")
	var out bytes.Buffer
	if err := writeTop(&out, cluster, before, c.lookAtAll(t.Context(), cluster)); err != nil {
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
