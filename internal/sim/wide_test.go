package sim

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestWide_AddsWithoutAnEnd(t *testing.T) {
	number := rapid.OneOf(rapid.Int64(), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 0, -1}))
	rapid.Check(t, func(t *rapid.T) {
		sum, want := wide{}, new(big.Int)
		for _, d := range rapid.SliceOf(number).Draw(t, "numbers") {
			sum = sum.plus(d)
			want.Add(want, big.NewInt(d))
		}
		v, fits := sum.int64()
		if fits != want.IsInt64() || fits && v != want.Int64() {
			t.Fatalf("%d, %v; want %v", v, fits, want)
		}
		if rest := sum.minus(sum); rest != (wide{}) {
			t.Fatalf("%v less itself is %v", sum, rest)
		}
	})
}
