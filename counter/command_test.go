package counter

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

const (
	noMin = math.MinInt64
	noMax = math.MaxInt64
)

func bounded(value, lowest, highest int64, saturate bool) *Command {
	return &Command{Value: value, Min: lowest, Max: highest, Saturate: saturate}
}

// resolve carries out a command and fails the test when it is refused.
func resolve(t tester, p *Partition, key string, c *Command) Resolved {
	t.Helper()
	r, state, err := p.Resolve(Hash(key), IDRef{Key: key}, c)
	if err != nil || state != Read {
		t.Fatalf("resolve %+v of %s: state %d, %v", *c, key, state, err)
	}
	return r
}

// known returns an owner that knows the total of k.
func known(t tester, value int64) *Partition {
	t.Helper()
	p := owner(me, nil)
	load(t, p, map[string]int64{"k": value}, nil)
	return p
}

func TestCommand_ResolvesToWhatItSays(t *testing.T) {
	for name, c := range map[string]struct {
		total   int64
		command *Command
		want    int64
		err     error
	}{
		"within the bounds":                      {7, bounded(3, 0, 10, false), 3, nil},
		"beyond the upper bound":                 {8, bounded(3, 0, 10, false), 0, ErrOutOfBounds},
		"what fits":                              {8, bounded(3, 0, 10, true), 2, nil},
		"nothing fits":                           {10, bounded(3, 0, 10, true), 0, nil},
		"below the lower bound":                  {2, bounded(-3, 0, 10, false), 0, ErrOutOfBounds},
		"what fits downwards":                    {2, bounded(-3, 0, 10, true), -2, nil},
		"beyond the bound already":               {20, bounded(1, 0, 10, true), 0, nil},
		"back from beyond the bound":             {20, bounded(-3, 0, 10, false), -3, nil},
		"back, to beyond the other one":          {20, bounded(-30, 0, 10, true), -20, nil},
		"nothing":                                {20, bounded(0, 0, 10, false), 0, nil},
		"a bound across the whole range":         {-9, bounded(math.MaxInt64, noMin, 5, true), 14, nil},
		"beyond bound and range":                 {5, bounded(math.MaxInt64, noMin, 5, false), 0, ErrOutOfBounds},
		"beyond the range":                       {5, bounded(math.MaxInt64, 0, noMax, false), 0, ErrOutOfRange},
		"what fits in the range":                 {5, bounded(math.MaxInt64, 0, noMax, true), math.MaxInt64 - 5, nil},
		"the lowest delta, where nothing fits":   {-1, bounded(math.MinInt64, 0, noMax, true), 0, nil},
		"the lowest delta, from the upper end":   {math.MaxInt64, bounded(math.MinInt64, -1, noMax, false), math.MinInt64, nil},
		"a set":                                  {8, &Command{Set: true, Value: -3}, -11, nil},
		"a set to what it is":                    {8, &Command{Set: true, Value: 8}, 0, nil},
		"a set from end to end":                  {math.MinInt64, &Command{Set: true, Value: math.MaxInt64}, 0, ErrTooFar},
		"a set from end to end, the other way":   {math.MaxInt64, &Command{Set: true, Value: math.MinInt64}, 0, ErrTooFar},
		"a set as far as one change can go":      {-1, &Command{Set: true, Value: math.MaxInt64 - 1}, math.MaxInt64, nil},
		"a set as far down as one change can go": {0, &Command{Set: true, Value: math.MinInt64}, math.MinInt64, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := known(t, c.total)
			r, state, err := p.Resolve(Hash("k"), IDRef{Key: "k"}, c.command)
			if state != Read || !errors.Is(err, c.err) || err == nil && r.Delta != c.want || r.Before != c.total {
				t.Fatalf("%+v, state %d, %v; want %d, %v", r, state, err, c.want, c.err)
			}
			total(t, p, "k", c.total+c.want)
			if err != nil && p.Last() != 0 {
				t.Fatal("what was refused has a number")
			}
		})
	}
}

// R4: mixed with ordinary increments and flushes, totals are what a model of any precision says; none passes a bound by a command.
func TestR4_CommandsAddWhatAModelAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		edge := rapid.OneOf(rapid.Int64Range(-9, 9), rapid.Int64(), rapid.SampledFrom([]int64{noMin, noMin + 1, noMax - 1, noMax}))
		p := owner(me, nil)
		value := edge.Draw(t, "value")
		load(t, p, map[string]int64{"k": value}, nil)
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			c := &Command{Value: edge.Draw(t, "x"), Min: edge.Draw(t, "min"), Max: edge.Draw(t, "max")}
			c.Set, c.Saturate = rapid.Bool().Draw(t, "set"), rapid.Bool().Draw(t, "saturate")
			r, state, err := p.Resolve(Hash("k"), IDRef{Key: "k"}, c)
			if state != Read || r.Before != value {
				t.Fatalf("%+v: state %d, the total before was %d, want %d", *c, state, r.Before, value)
			}
			after := new(big.Int).Add(big.NewInt(value), big.NewInt(r.Delta))
			if err == nil {
				checkResolved(t, c, value, r.Delta, after)
				value += r.Delta
			}
			total(t, p, "k", value)
			if p.Pending() > 0 && rapid.Bool().Draw(t, "flush") {
				flush(t, p)
			}
		}
	})
}

func checkResolved(t *rapid.T, c *Command, before, delta int64, after *big.Int) {
	switch {
	case !after.IsInt64() || c.Set && after.Int64() != c.Value:
		t.Fatalf("%+v leads from %d to %v", *c, before, after)
	case c.Set:
	case !c.Saturate && delta != c.Value, c.Value >= 0 && (delta < 0 || delta > c.Value), c.Value < 0 && (delta > 0 || delta < c.Value):
		t.Fatalf("%+v adds %d", *c, delta)
	case delta > 0 && after.Int64() > c.Max, delta < 0 && after.Int64() < c.Min:
		t.Fatalf("%+v leads from %d to %v", *c, before, after)
	case c.Saturate && delta != c.Value && after.Int64() != c.Max && after.Int64() != c.Min && delta != 0:
		t.Fatalf("%+v stops at %v, between its bounds", *c, after)
	}
}

// R1: once resolved, it goes on with its delta, whatever the next owner has.
func TestR1_ACommandIsResentAsItsDelta(t *testing.T) {
	p := known(t, 8)
	resolve(t, p, "k", bounded(5, 0, 10, true))
	p.Learn(other, 2)
	s := next(t, p, 10)
	if len(s.Ops) != 1 || s.Ops[0].Delta != 2 || s.Ops[0].Key != "k" || s.Ops[0].ID != "" {
		t.Fatalf("it is resent as %+v", s.Ops)
	}
}

// R8: what may miss something that was answered resolves nothing.
func TestR8_NothingIsResolvedByWhoCannotTellTheTotal(t *testing.T) {
	settling := New(7, me)
	settling.Acquire(1, nil, []Origin{me, other}, []Origin{other})
	leaving := known(t, 0)
	leaving.Release(other)
	behind := known(t, 0)
	behind.Drop()
	behind.AddID(Hash("k"), IDRef{Key: "k", ID: "not looked up"}, 1)
	behind.Acquire(2, nil, []Origin{me}, nil)
	load(t, behind, map[string]int64{"x": 0}, nil)
	for name, c := range map[string]struct {
		p    *Partition
		key  string
		want ReadState
	}{
		"another node owns it":         {follower(me, other), "k", ReadMoved},
		"it is handed over":            {leaving, "k", ReadMoved},
		"it settles":                   {settling, "k", ReadSettle},
		"own operations wait":          {behind, "x", ReadSettle},
		"the value is not known":       {owner(me, nil), "k", ReadMissing},
		"the total is beyond the ends": {beyond(t), "k", ReadSettle},
	} {
		t.Run(name, func(t *testing.T) {
			last := c.p.Last()
			_, state, err := c.p.Resolve(Hash(c.key), IDRef{Key: c.key}, &Command{Set: true, Value: 5})
			if state != c.want || err != nil || c.p.Last() != last {
				t.Fatalf("state %d, %v, %d new operations; want state %d", state, err, c.p.Last()-last, c.want)
			}
		})
	}
}

// beyond returns an owner that accepted deltas of k before it knew that they lead beyond the range.
func beyond(t tester) *Partition {
	p := owner(me, nil)
	add(t, p, "k", math.MaxInt64)
	load(t, p, map[string]int64{"k": 1}, nil)
	return p
}

// R9: a repeat finds what the first one was resolved to.
func TestR9_ARepeatedCommandAddsNothingAndTellsWhatTheFirstAdded(t *testing.T) {
	p := known(t, 8)
	ref := IDRef{Key: "k", ID: "order"}
	first := bounded(5, 0, 10, true)
	if _, _, err := p.Resolve(Hash("k"), ref, first); !errors.Is(err, ErrIDMissing) || p.Last() != 0 {
		t.Fatalf("before the store was asked: %v", err)
	}
	token, _ := p.BeginLoad()
	p.Loaded(token, &Snapshot{Wanted: Wanted{IDs: []IDRef{ref}}})
	for _, replayed := range []bool{false, true, true} {
		r, state, err := p.Resolve(Hash("k"), ref, first)
		if err != nil || state != Read || r.Replayed != replayed || r.Before != 8 || r.Delta != 2 || r.Total != 10 {
			t.Fatalf("%+v, state %d, %v", r, state, err)
		}
		flush(t, p)
		add(t, p, "k", -1)
	}
	for c, want := range map[*Command]error{
		bounded(5, 0, 10, false): ErrIDReused, bounded(1, 0, 10, true): ErrIDReused, bounded(-5, 0, 10, true): ErrIDReused,
		bounded(5, 0, 9, true): ErrOtherTotal, {Set: true, Value: 9}: ErrOtherTotal,
	} {
		if _, _, err := p.Resolve(Hash("k"), ref, c); !errors.Is(err, want) {
			t.Fatalf("%+v passes for a repeat: %v, want %v", *c, err, want)
		}
	}
	total(t, p, "k", 7)
}

// R9: an owner loses the partition when it has resolved a command, which goes to the next one as an operation. A repeat there is never told
// that its key was another's, after which its client would count again under a new one.
func TestR9_ARepeatAtALaterOwnerIsNotTakenForAnother(t *testing.T) {
	set, add := &Command{Set: true, Value: 5}, bounded(1, noMin, 8, false)
	for name, c := range map[string]struct {
		command  *Command
		stored   int64 // the total that the next owner begins with; the first one saw 7
		settling bool
		want     error
	}{
		"a set, in the same order":                    {set, 7, false, nil},
		"a set, after other operations":               {set, 9, false, ErrOtherTotal},
		"a set, before the total was known":           {set, 7, true, ErrOtherTotal},
		"an increment, in the same order":             {add, 7, false, nil},
		"an increment, after other operations":        {add, 6, false, nil},
		"an increment, beyond the bound by now":       {add, 8, false, ErrOtherTotal},
		"an increment, before the total can be known": {add, 7, true, ErrOtherTotal},
	} {
		t.Run(name, func(t *testing.T) {
			ref := IDRef{Key: "k", ID: "order"}
			first := known(t, 7)
			token, _ := first.BeginLoad()
			first.Loaded(token, &Snapshot{Wanted: Wanted{IDs: []IDRef{ref}}})
			r, _, err := first.Resolve(Hash("k"), ref, c.command)
			if err != nil {
				t.Fatal(err)
			}
			next := New(7, other)
			var await []Origin
			if c.settling {
				await = []Origin{third}
			}
			next.Acquire(2, nil, []Origin{me, other, third}, await)
			token, _ = next.BeginLoad()
			next.Loaded(token, &Snapshot{Wanted: Wanted{Keys: []string{"k"}, IDs: []IDRef{ref}}, Values: map[string]int64{"k": c.stored}})
			first.Learn(other, 2)
			deliver(t, first, next)
			next.StopAwaiting(third)
			again, state, err := next.Resolve(Hash("k"), ref, c.command)
			if !errors.Is(err, c.want) || state != Read || err == nil && (!again.Replayed || again.Delta != r.Delta || again.Before != c.stored) {
				t.Fatalf("%+v, state %d, %v; want %v", again, state, err, c.want)
			}
			total(t, next, "k", c.stored+r.Delta)
		})
	}
}

// R9: what a bound refused keeps no idempotency key.
func TestR9_ARefusedCommandLeavesItsIdempotencyKeyFree(t *testing.T) {
	p := known(t, 10)
	ref := IDRef{Key: "k", ID: "order"}
	token, _ := p.BeginLoad()
	p.Loaded(token, &Snapshot{Wanted: Wanted{IDs: []IDRef{ref}}})
	c := bounded(1, 0, 10, false)
	if _, _, err := p.Resolve(Hash("k"), ref, c); !errors.Is(err, ErrOutOfBounds) {
		t.Fatal(err)
	}
	add(t, p, "k", -1)
	if r, _, err := p.Resolve(Hash("k"), ref, c); err != nil || r.Replayed || r.Total != 10 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// R9: the end of the range stands for "not known" beside an idempotency key, so that a repeat could not be told from another command.
func TestResolve_LeadsNoTotalWithAKeyToWhereItCouldNotBeTold(t *testing.T) {
	ref := IDRef{Key: "k", ID: "i"}
	for name, c := range map[string]*Command{
		"set":     {Set: true, Value: math.MinInt64},
		"bounded": {Value: math.MinInt64 + 3, Min: math.MinInt64, Max: math.MaxInt64},
		"what fits": {
			Value: math.MinInt64, Min: math.MinInt64, Max: math.MaxInt64, Saturate: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := known(t, -3)
			token, _ := p.BeginLoad()
			p.Loaded(token, &Snapshot{Wanted: Wanted{IDs: []IDRef{ref}}})
			last := p.Last()
			if _, state, err := p.Resolve(Hash("k"), ref, c); state != Read || !errors.Is(err, ErrOutOfRange) || p.Last() != last {
				t.Fatalf("state %d, %v, %d new operations", state, err, p.Last()-last)
			}
			total(t, p, "k", -3)
			if _, _, err := p.Resolve(Hash("k"), ref, &Command{Set: true, Value: math.MinInt64 + 1}); err != nil {
				t.Fatalf("its key is taken: %v", err)
			}
			if r, _, err := p.Resolve(Hash("k"), IDRef{Key: "k"}, c); name == "set" && (err != nil || r.Before+r.Delta != math.MinInt64) {
				t.Fatalf("without a key: %+v, %v", r, err)
			}
		})
	}
}
