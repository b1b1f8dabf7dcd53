package wire

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/pinocchio-nose/pinocchio/counter"
)

func drawCommand(t *rapid.T) Command {
	value := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, 0, math.MaxInt64}))
	return Command{
		Command: counter.Command{
			Set: rapid.Bool().Draw(t, "set"), Saturate: rapid.Bool().Draw(t, "saturate"),
			Value: value.Draw(t, "value"), Min: value.Draw(t, "min"), Max: value.Draw(t, "max"),
		},
		Key: rapid.StringN(1, 20, 200).Draw(t, "key"), ID: rapid.StringN(0, 20, 200).Draw(t, "id"),
		Durability: rapid.Byte().Draw(t, "durability"), Patience: rapid.Uint32().Draw(t, "patience"),
	}
}

func TestCommand_ComesBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCommand(t)
		b := AppendCommand(nil, &c)
		if back, err := DecodeCommand(b); err != nil || back != c {
			t.Fatalf("%+v came back as %+v, %v", c, back, err)
		}
		x := CommandResult{Outcome: Outcome(rapid.IntRange(0, int(lastOutcome)).Draw(t, "outcome")), Before: c.Value, Delta: c.Min}
		answer := AppendCommandResult(nil, x)
		if back, err := DecodeCommandResult(answer); err != nil || back != x {
			t.Fatalf("%+v came back as %+v, %v", x, back, err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := DecodeCommand(b[:cut:cut]); err == nil {
			t.Fatalf("a command of %d bytes, cut to %d, is taken", len(b), cut)
		}
		cut = rapid.IntRange(0, len(answer)-1).Draw(t, "cut of the answer")
		if _, err := DecodeCommandResult(answer[:cut:cut]); err == nil {
			t.Fatalf("an answer of %d bytes, cut to %d, is taken", len(answer), cut)
		}
	})
}

func TestCommand_RefusesWhatIsMangled(t *testing.T) {
	good := AppendCommand(nil, &Command{Key: "k", ID: "i"})
	for what, b := range map[string][]byte{
		"an unknown flag":       append([]byte{commandFlags + 1}, good[1:]...),
		"no key":                AppendCommand(nil, &Command{ID: "i"}),
		"a byte behind the end": append(good[:len(good):len(good)], 0),
	} {
		if _, err := DecodeCommand(b); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	for what, b := range map[string][]byte{
		"another version":       {Version + 1, 0, 0, 0},
		"an unknown outcome":    {Version, byte(lastOutcome) + 1, 0, 0},
		"a byte behind the end": {Version, 0, 0, 0, 0},
	} {
		if _, err := DecodeCommandResult(b); err == nil {
			t.Errorf("an answer with %s is taken", what)
		}
	}
}

func FuzzDecodeCommand(f *testing.F) {
	f.Add(AppendCommand(nil, &Command{Key: "page:1", ID: "order-7", Command: counter.Command{Set: true, Value: -5, Max: math.MaxInt64}, Patience: 1000}))
	f.Add([]byte{})
	again := func(b []byte) ([]byte, error) {
		c, err := DecodeCommand(b)
		return AppendCommand(nil, &c), err
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			return
		}
		if !within(b, c.Key) || c.ID != "" && !within(b, c.ID) {
			t.Fatal("a text lies outside the message")
		}
		stable(t, again, AppendCommand(nil, &c), len(b))
	})
}
