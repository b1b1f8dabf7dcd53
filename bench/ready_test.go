package bench

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// readinessOf makes targets with the given conditions.
func readinessOf(conditions ...condition) *readiness {
	r := newReadiness(make([]place, len(conditions)))
	for i, c := range conditions {
		r.targets[i].condition = c
	}
	return r
}

func TestReadiness_SeatsWorkersAtHomeAndElseEvenly(t *testing.T) {
	r := readinessOf(down, ready, ready, ready)
	seats := map[int]int{}
	for range 9 {
		target, ok, _ := r.pick(0)
		if !ok {
			t.Fatal("nobody is ready")
		}
		seats[target]++
	}
	if seats[1] != 3 || seats[2] != 3 || seats[3] != 3 {
		t.Errorf("seats %v", seats)
	}
	r.leave(2)
	if target, _, _ := r.pick(0); target != 2 {
		t.Errorf("the free seat is at 2, not at %d", target)
	}
	for range 5 {
		if target, _, _ := r.pick(3); target != 3 {
			t.Errorf("home is ready, but seated at %d", target)
		}
	}
}

func TestReadiness_TakesASuspectOnlyWhenNobodyIsReady(t *testing.T) {
	if target, ok, _ := readinessOf(suspect, down, ready).pick(0); !ok || target != 2 {
		t.Errorf("target %d, %v", target, ok)
	}
	if target, ok, _ := readinessOf(down, suspect, down).pick(0); !ok || target != 1 {
		t.Errorf("target %d, %v", target, ok)
	}
	r := readinessOf(down, down)
	_, ok, changed := r.pick(0)
	if ok {
		t.Fatal("picked a target that is down")
	}
	r.probed(1, time.Now(), nil)
	select {
	case <-changed:
	default:
		t.Error("the change is not told")
	}
}

func TestReadiness_MovesWorkersOnlyToReadyTargets(t *testing.T) {
	for _, c := range []struct {
		conditions    []condition
		home, current int
		want          bool
	}{
		{[]condition{ready, ready}, 0, 0, false},
		{[]condition{ready, ready}, 0, 1, true}, // back home
		{[]condition{down, ready}, 0, 1, false},
		{[]condition{down, ready}, 0, 0, true},
		{[]condition{suspect, ready}, 0, 0, true},
		{[]condition{suspect, ready}, 0, 1, false},
		{[]condition{down, suspect}, 0, 0, false}, // what works is kept
		{[]condition{down, down}, 0, 1, false},
		{[]condition{down, down, ready}, 0, 1, true},
	} {
		if got := readinessOf(c.conditions...).shouldMove(c.home, c.current); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestReadiness_BelievesAWorkerUntilALaterProbe(t *testing.T) {
	r := readinessOf(ready)
	early := time.Now().Add(-time.Millisecond)
	r.doubt(0, suspect, errors.New("reset"))
	r.probed(0, early, nil)
	if r.targets[0].condition != suspect {
		t.Error("a probe that began before the doubt disproved it")
	}
	r.doubt(0, down, nil)
	r.doubt(0, suspect, nil)
	if r.targets[0].condition != down {
		t.Error("a smaller doubt made it better")
	}
	r.probed(0, time.Now(), nil)
	if r.targets[0].condition != ready || r.count() != 1 {
		t.Error("a later probe did not disprove the doubt")
	}
	version := r.version.Load()
	r.probed(0, time.Now(), errors.New("/readyz answers 503"))
	if r.targets[0].condition != down || r.version.Load() == version {
		t.Error("a failed probe changed nothing")
	}
	if err := r.reason(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("reason %v", err)
	}
}

func TestAskReady_TakesAServerWithoutTheRoute(t *testing.T) {
	n := startNode(t, newSums())
	if err := askReady(t.Context(), place{host: n.addr}); err != nil {
		t.Errorf("ready: %v", err)
	}
	n.ready.Store(false)
	if err := askReady(t.Context(), place{host: n.addr}); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("not ready: %v", err)
	}
	other := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(404) }, Logger: quiet{}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- other.Serve(ln) }()
	if err := askReady(t.Context(), place{host: ln.Addr().String()}); err != nil {
		t.Errorf("no such route: %v", err)
	}
	_ = other.Shutdown()
	_ = ln.Close()
	<-served
}

func TestAskReady_EndsWithItsContextWhenNothingIsAnswered(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // never accepts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := askReady(ctx, place{host: ln.Addr().String()}); err == nil {
		t.Error("ready without an answer")
	}
}
