package chart

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// floored is a logarithmic scale on which what lies below its low end, such as the zero that bars stand on, or the end of a whisker
// that is longer than its bar, has a place outside: it is cut off. The library's own panics at zero.
type floored struct{ plot.LogScale }

func (s floored) Normalize(low, high, x float64) float64 {
	if x < low {
		return -0.1
	}
	return s.LogScale.Normalize(low, high, x)
}

// decades marks the powers of ten with labels and their multiples without; on a short axis 2 and 5 have labels, too. What lies
// beyond the axis is left out, since the library makes room for the labels of all marks that it is given.
type decades struct {
	label func(float64) string
	short float64 // decades
}

func (d decades) Ticks(low, high float64) []plot.Tick {
	const near = 1e-9
	fine := math.Log10(high/low) <= d.short
	var ticks []plot.Tick
	for e := int(math.Floor(math.Log10(low))); e <= int(math.Ceil(math.Log10(high))); e++ {
		for m := 1; m < 10; m++ {
			t := plot.Tick{Value: float64(m) * math.Pow10(e)}
			if t.Value < low*(1-near) || t.Value > high*(1+near) {
				continue
			}
			if m == 1 || fine && (m == 2 || m == 5) {
				t.Label = d.label(t.Value)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// percents marks 50% and the decades of 1/(1-p), at which the nines get more by one.
func percents(_, high float64) []plot.Tick {
	ticks := []plot.Tick{{Value: 1, Label: "0%"}, {Value: 2, Label: "50%"}}
	for nines := 1; math.Pow10(nines) <= high; nines++ {
		ticks = append(ticks, plot.Tick{
			Value: math.Pow10(nines),
			Label: strconv.FormatFloat(100-100/math.Pow10(nines), 'f', max(0, nines-2), 64) + "%",
		})
	}
	return ticks
}

// short writes a round number with k, M or G, which fit under a narrow decade.
func short(x float64) string {
	for _, u := range [...]struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if x >= u.size {
			return plain(x/u.size) + u.name
		}
	}
	return plain(x)
}

// plain writes a number with three digits and no exponent.
func plain(x float64) string {
	digits := 2 - int(math.Floor(math.Log10(x)))
	scale := math.Pow10(digits)
	return strconv.FormatFloat(math.Round(x*scale)/scale, 'f', -1, 64)
}

// around returns the numbers 1, 2 or 5 times a power of ten that enclose low and high, and are not the same.
func around(low, high float64) (float64, float64) {
	from, to := math.Pow10(int(math.Floor(math.Log10(low)))), math.Pow10(int(math.Floor(math.Log10(high))))
	for _, m := range [...]float64{5, 2} {
		if m*from <= low {
			from *= m
			break
		}
	}
	for _, m := range [...]float64{1, 2, 5, 10} {
		if m*to >= high {
			to *= m
			break
		}
	}
	if from == to {
		return from / 2, to * 2
	}
	return from, to
}
