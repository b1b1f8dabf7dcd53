package main

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench"
	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

func TestIncrement_KnowsWhatBecameOfIt(t *testing.T) {
	answers := []struct {
		status int
		later  bool
		want   fate
	}{
		{http.StatusAccepted, false, counted},
		{http.StatusAccepted, true, later},
		{http.StatusServiceUnavailable, false, refused},
		{http.StatusUnprocessableEntity, false, refused},
		{http.StatusGatewayTimeout, false, unknown},
		{http.StatusInternalServerError, false, unknown},
	}
	f := &fake{post: func(n int) (int, bool, bool) { return answers[n-1].status, answers[n-1].later, true }}
	tr, m := f.node(t)
	for _, a := range answers {
		if got := tr.increment(t.Context(), m, "k"); got != a.want {
			t.Errorf("status %d, later %v: fate %d, want %d", a.status, a.later, got, a.want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := &member{Node: rig.Node{Name: "nobody", HTTP: l.Addr().String()}}
	_ = l.Close()
	if got := tr.increment(t.Context(), nobody, "k"); got != refused {
		t.Errorf("nobody listens: fate %d, want %d", got, refused)
	}
}

func TestProbe_IsContentOnlyWhenItIsCountedAtOnceAndToldWithoutReserve(t *testing.T) {
	reads := 0
	f := &fake{
		post: func(n int) (int, bool, bool) { return http.StatusAccepted, n < 3, true },
		get:  func(v int64) (int64, bool) { reads++; return v, reads < 4 },
	}
	tr, m := f.node(t)
	all := probes(map[int]bool{5: true}, []*member{m}, 0)
	if len(all) != 1 || partitionOf(all[0].key) != 5 {
		t.Fatalf("probes: %+v", all)
	}
	if _, _, err := tr.recovered(t.Context(), time.Now(), time.Minute, all); err != nil {
		t.Fatal(err)
	}
	if all[0].answered != 3 || reads != 4 || !tr.rep.kept() {
		t.Errorf("answered %d, reads %d, broken %v", all[0].answered, reads, tr.rep.broken)
	}
}

func TestRecovered_BreaksThePromiseWhenATotalLacksWhatWasCounted(t *testing.T) {
	f := &fake{get: func(v int64) (int64, bool) { return v - 1, false }}
	tr, m := f.node(t)
	if _, _, err := tr.recovered(t.Context(), time.Now(), time.Minute, probes(map[int]bool{0: true}, []*member{m}, 0)); err != nil {
		t.Fatal(err)
	}
	if tr.rep.kept() {
		t.Error("the promise is kept")
	}
}

func TestRecovered_FailsWhenAProbeIsNeverContent(t *testing.T) {
	f := &fake{post: func(int) (int, bool, bool) { return http.StatusAccepted, true, true }}
	tr, m := f.node(t)
	if _, _, err := tr.recovered(t.Context(), time.Now(), 50*time.Millisecond, probes(map[int]bool{0: true}, []*member{m}, 0)); err == nil {
		t.Error("no error")
	}
}

func TestWitness_NoticesATotalThatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name  string
		fake  *fake
		wrong bool
	}{
		{"right", &fake{}, false},
		{"later, and not there yet", &fake{post: func(n int) (int, bool, bool) { return http.StatusAccepted, n == 2, n != 2 }}, false},
		{"unknown, and counted", &fake{post: func(n int) (int, bool, bool) { return http.StatusGatewayTimeout, false, true }}, false},
		{"behind, and says so", &fake{get: func(v int64) (int64, bool) { return v - 1, true }}, false},
		{"lost", &fake{post: func(n int) (int, bool, bool) { return http.StatusAccepted, false, n != 2 }}, true},
		{"doubled", &fake{get: func(v int64) (int64, bool) { return 2 * v, false }}, true},
		{"refused, and counted", &fake{post: func(n int) (int, bool, bool) { return http.StatusServiceUnavailable, false, true }}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, m := c.fake.node(t)
			w := &witness{key: "k"}
			for range 3 {
				w.add(tr, m)
				w.read(tr, m)
			}
			if got := len(w.wrong) > 0; got != c.wrong {
				t.Errorf("wrong: %v", w.wrong)
			}
		})
	}
}

func TestWitness_NoticesATotalThatGoesBack(t *testing.T) {
	values := []int64{1, 0}
	f := &fake{post: func(int) (int, bool, bool) { return http.StatusAccepted, true, true }}
	f.get = func(int64) (int64, bool) { v := values[0]; values = values[1:]; return v, false }
	tr, m := f.node(t)
	w := &witness{key: "k"}
	w.add(tr, m)
	w.read(tr, m)
	w.read(tr, m)
	if len(w.wrong) != 1 {
		t.Errorf("wrong: %v", w.wrong)
	}
}

func TestAccountOf_TakesTheWorstPlaceOfEachKey(t *testing.T) {
	a := accountOf(&bench.Verification{Drifts: []bench.Drift{
		{Key: "a", Where: "n1", Read: true, Total: 7, Low: 10, High: 12},
		{Key: "a", Where: "store", Read: true, Total: 5, Low: 10, High: 12},
		{Key: "b", Where: "n1", Read: true, Total: 15, Low: 10, High: 12},
		{Key: "c", Where: "n1", Read: true, Total: 11, Low: 10, High: 12},
		{Key: "d", Where: "n1"},
	}})
	if total(a.missing) != 5 || total(a.doubled) != 3 || a.disagree != 1 || a.unreadable != 1 {
		t.Errorf("%+v", a)
	}
}

func TestMostLost_CountsFromTheLatestSampleThatIsSurelyBeforeTheFlush(t *testing.T) {
	flushed := time.Unix(1000, 0)
	s := &sampler{node: &member{Node: rig.Node{HTTP: "h:1"}}, samples: []sample{
		{flushed.Add(-time.Second), 100},
		{flushed.Add(-2 * freezeMargin), 300},
		{flushed.Add(-freezeMargin / 2), 400}, // the flush may have been frozen before
		{flushed.Add(time.Second), 900},
	}}
	res := &bench.Result{Connections: 16, AnsweredByTarget: map[string]int64{"h:1": 1000}}
	if got, want := s.mostLost(res, flushed), int64(1000-300+16); got != want {
		t.Errorf("%d, want %d", got, want)
	}
	if got, want := s.mostLost(res, time.Time{}), int64(1016); got != want {
		t.Errorf("without a flush %d, want %d", got, want)
	}
}

func TestParseMetrics_ReadsNamesWithLabels(t *testing.T) {
	got, err := parseMetrics("# HELP a b\na 1\nb{c=\"d e\"} 2.5\n\n")
	if err != nil || len(got) != 2 || got["a"] != 1 || got[`b{c="d e"}`] != 2.5 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseMetrics("a\n"); err == nil {
		t.Error("no error")
	}
}

func TestSeverity_TellsFaultsOfANodeFromFaultsAroundIt(t *testing.T) {
	for line, want := range map[string]int{
		`time=x level=INFO msg="panicked not"`:        severityFine,
		`time=x level=WARN msg="no store" error="x"`:  severityWarning,
		`time=x level=ERROR msg="broken"`:             severityBroken,
		"panic: runtime error":                        severityBroken,
		"WARNING: DATA RACE":                          severityBroken,
		"fatal error: all goroutines are asleep":      severityBroken,
		"pinocchio: 3 operations did not reach":       severityBroken,
		`time=x level=INFO msg=joined node=pinocchio`: severityFine,
	} {
		if got := severity(line); got != want {
			t.Errorf("%q: %d, want %d", line, got, want)
		}
	}
	if got := message(`level=WARN msg="no store" error="x"`); got != "no store" {
		t.Error(got)
	}
	if got := message("level=INFO msg=joined a=b\n"); got != "joined" {
		t.Error(got)
	}
}

func TestBalanced_IsNotWhileAnythingIsToBeDone(t *testing.T) {
	live := []*member{{Node: rig.Node{Name: "a"}}, {Node: rig.Node{Name: "b"}}}
	node := func(name string, owned, wanted int) memberStatus {
		return memberStatus{Name: name, Alive: true, LeaseLeft: 1, Owned: owned, Wanted: wanted}
	}
	gone := memberStatus{Name: "c", LeaseLeft: -1, Owned: 3}
	for what, c := range map[string]struct {
		status status
		want   bool
	}{
		"all done":          {status{Members: []memberStatus{node("a", 1, 1), node("b", 2, 2), gone}}, true},
		"unowned":           {status{Unowned: 1, Members: []memberStatus{node("a", 1, 1), node("b", 2, 2)}}, false},
		"settling":          {status{Settling: 1, Members: []memberStatus{node("a", 1, 1), node("b", 2, 2)}}, false},
		"on the move":       {status{Members: []memberStatus{node("a", 2, 1), node("b", 1, 2)}}, false},
		"nothing yet":       {status{Members: []memberStatus{node("a", 3, 3), node("b", 0, 0)}}, false},
		"not yet seen":      {status{Members: []memberStatus{node("a", 3, 3)}}, false},
		"not yet forgotten": {status{Members: []memberStatus{node("a", 1, 1), node("b", 1, 1), node("c", 1, 1)}}, false},
	} {
		if err := c.status.balanced(live); (err == nil) != c.want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestReport_IsBrokenByOnePromiseAndSkippedByAMissingTool(t *testing.T) {
	var out strings.Builder
	r := newReport(&out, scenario{name: "s"})
	r.promise(true, "one")
	r.promise(false, "two is %d", 2)
	r.close()
	if r.kept() || r.row.verdict != "BROKEN (1)" || !strings.Contains(out.String(), "BROKEN: two is 2") {
		t.Errorf("%q\n%s", r.row.verdict, &out)
	}
	skipped := newReport(&out, scenario{name: "t"})
	skipped.skip(errNotHere)
	skipped.close()
	out.Reset()
	if err := writeTable(&out, []row{r.row, skipped.row}); err != nil || !skipped.kept() {
		t.Errorf("%v, kept %v", err, skipped.kept())
	}
	if text := out.String(); strings.Count(text, "\n") != 3 || !strings.Contains(text, "not run") {
		t.Error(text)
	}
}

func TestChanges_CountsKeysThatHaveLessAndMore(t *testing.T) {
	had := map[string]counter{"same": {value: 1}, "less": {value: 2}, "gone": {value: 3}, "more": {value: 4}}
	has := map[string]counter{"same": {value: 1}, "less": {value: 1}, "more": {value: 5}, "new": {value: 1}}
	if less, more := changes(had, has); less != 2 || more != 2 {
		t.Errorf("less %d, more %d", less, more)
	}
}

func TestReadOutcomes_TakesOneLineForEachIncrement(t *testing.T) {
	lines := func(n int, more string) *bufio.Scanner {
		return bufio.NewScanner(strings.NewReader(strings.Repeat("{\"status\":503,\"errors\":{}}\n", n) + more))
	}
	got, err := readOutcomes(lines(floodBatch-3, "{\"status\":202}\n{\"status\":202,\"counted\":\"later\"}\n{\"status\":504}\n"))
	if want := (floodSums{accepted: 2, later: 1, refused: floodBatch - 3, unknown: 1}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, more := range []string{"", "{\"status\":422}\n", "no JSON\n"} {
		if _, err := readOutcomes(lines(floodBatch-1, more)); err == nil {
			t.Errorf("behind the others comes %q: no error", more)
		}
	}
}

func TestResidentOf_TellsTheMemoryOfALiveProcess(t *testing.T) {
	if n, err := residentOf(os.Getpid()); err != nil || n < 1<<20 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := residentOf(1 << 30); err == nil {
		t.Error("no error for a process that there is not")
	}
}
