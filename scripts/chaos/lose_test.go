package main

import (
	"errors"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/chaos/schedule"
)

func TestComplete_SaysWhatIsAmiss(t *testing.T) {
	cluster := func(alive ...bool) status {
		s := status{StoreOK: true}
		for _, a := range alive {
			s.Members = append(s.Members, struct {
				Name  string `json:"name"`
				Alive bool   `json:"alive"`
			}{Alive: a})
		}
		return s
	}
	unowned, settling, away := cluster(true, true), cluster(true, true), cluster(true, true)
	unowned.Unowned, settling.Settling, away.StoreOK = 1, 1, false
	for what, c := range map[string]struct {
		status status
		want   bool
	}{
		"all is well":           {cluster(true, true), true},
		"a dead one is listed":  {cluster(true, false, true), true},
		"one is missing":        {cluster(true, false), false},
		"one is seen too often": {cluster(true, true, true), false},
		"no owner":              {unowned, false},
		"settling":              {settling, false},
		"no database":           {away, false},
	} {
		if err := c.status.complete(2); (err == nil) != c.want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestResending_IsReadOfAnAuditAndMissedWhenThereIsNone(t *testing.T) {
	for text, want := range map[string]int{
		`{"data":{"node":"n1","resending":[]}}`:        0,
		`{"data":{"node":"n1","resending":["a","b"]}}`: 2,
		`{"data":{"node":"n1"}}`:                       -1,
		`{`:                                            -1,
	} {
		got, err := resending([]byte(text))
		if (err != nil) != (want < 0) || err == nil && len(got) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

// While a node is lost, no fault begins that could take the second holder of its operations away; and none is under way when it is lost.
func TestApply_LetsNoSecondHolderBeTakenAwayWhileANodeIsLost(t *testing.T) {
	w := &world{opt: options{nodes: 1}, members: []*member{{}}}
	kill := schedule.Fault{Kind: schedule.Kill}
	if !w.lull(t.Context()) {
		t.Fatal("there is no lull though nothing happens")
	}
	for _, kind := range schedule.Kinds() {
		switch kind {
		case schedule.DropReply, schedule.CutByte, schedule.ClockNode, schedule.Lose: // they have no world here to break
			continue
		}
		if err := w.apply(t.Context(), schedule.Fault{Kind: kind, For: time.Hour}); !errors.Is(err, errSkipped) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	w.calm.Unlock()
	w.members[0].life.Lock() // somebody else has it
	if err := w.apply(t.Context(), kill); !errors.Is(err, errSkipped) {
		t.Errorf("a kill afterwards: %v", err)
	}
	if !w.calm.TryLock() {
		t.Error("a fault that is over still keeps a node from being lost")
	}
}
