package strategies

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Measures of the chart, in pixels.
const (
	chartWidth = 760
	left       = 150 // room for names
	right      = 120 // room for figures
	top        = 56
	step       = 46 // from bar to bar
	bar        = 26
)

// WriteSVG writes a bar chart of the rates on a logarithmic scale, the whiskers one standard deviation long to each side. It
// is readable on light and dark grounds and uses nothing from elsewhere.
func (r *Report) WriteSVG(w io.Writer) error {
	low, high := r.decades()
	height := top + step*len(r.Results) + 34
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" font-family="system-ui, sans-serif" font-size="13">`+"\n",
		chartWidth, height, chartWidth, height)
	fmt.Fprintf(&b, "<title>Increments a second of each strategy</title>\n<desc>%s</desc>\n", escape(r.description()))
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&b, `<text x="14" y="24" font-size="15" font-weight="600" fill="#1f2933">Increments a second, logarithmic; %s</text>`+"\n", escape(r.conditions()))
	bottom := top + step*len(r.Results)
	for d := low; d <= high; d++ {
		x := position(math.Pow10(d), low, high)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#d5dbe1"/>`+"\n", x, top-10, x, bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#52606d">%s</text>`+"\n", x, bottom+20, count(math.Pow10(d)))
	}
	for i, s := range r.Results {
		writeBar(&b, s, top+step*i, low, high)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeBar writes one bar with its name, figure and whiskers.
func writeBar(b *strings.Builder, s *Result, y, low, high int) {
	x, mid := position(s.Rate, low, high), y+bar/2
	from, to := position(s.Rate-s.RateDeviation, low, high), position(s.Rate+s.RateDeviation, low, high)
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#1f2933">%s</text>`+"\n", left-10, mid+5, escape(s.Name))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="#2f7d6d"/>`+"\n", left, y, x-left, bar)
	fmt.Fprintf(b, `<path class="error" d="M%.1f %dH%.1fM%.1f %dV%dM%.1f %dV%d" stroke="#1f2933" stroke-width="1.5" fill="none"/>`+"\n",
		from, mid, to, from, mid-6, mid+6, to, mid-6, mid+6)
	fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="#1f2933">%s ±%s</text>`+"\n", max(x, to)+8, mid+5, count(s.Rate), count(s.RateDeviation))
}

// decades are the powers of ten that enclose the rates.
func (r *Report) decades() (low, high int) {
	low, high = math.MaxInt, math.MinInt
	for _, s := range r.Results {
		low = min(low, int(math.Floor(math.Log10(s.Rate))))
		high = max(high, int(math.Ceil(math.Log10(s.Rate+s.RateDeviation))))
	}
	return low - 1, max(high, low)
}

// position is a rate's place on the axis.
func position(rate float64, low, high int) float64 {
	share := (math.Log10(max(rate, math.Pow10(low))) - float64(low)) / float64(high-low)
	return left + min(1, share)*(chartWidth-left-right)
}

// description is the chart in words, for who cannot see it.
func (r *Report) description() string {
	var words []string
	for _, s := range r.Results {
		words = append(words, fmt.Sprintf("%s: %s increments a second", s.Name, count(s.Rate)))
	}
	return strings.Join(words, "; ")
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
