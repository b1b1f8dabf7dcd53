package chart

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	latencyHeight = 420
	perDecade     = 20 // points of the curve
)

// Latency returns a chart of n latencies by percentile, as HdrHistogram's are: across 1/(1-p), so that each further nine is as wide
// as the one before. at returns the latency at a percentile, 0 to 100; the curve ends with the longest.
func Latency(title string, n int64, at func(percent float64) time.Duration) (*Chart, error) {
	if n < 1 {
		return nil, errors.New("no request was answered, so there are no latencies to draw")
	}
	c := blank(title, latencyHeight)
	curve := points(n, at)
	line, err := plotter.NewLine(curve)
	if err != nil {
		return nil, err
	}
	line.Color, line.Width = accent, 2
	p := c.plot
	p.Add(grid(true, true), line)
	if err := c.addMarks(float64(n), at); err != nil {
		return nil, err
	}
	p.X.Label.Text, p.Y.Label.Text = "percentile", "milliseconds"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(percents)
	p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{label: plain, short: 3}
	p.X.Min, p.X.Max, p.X.Padding, p.Y.Padding = 1, math.Max(float64(n), 10), 0, 10 // room for the first mark
	p.Y.Min, p.Y.Max = around(curve[0].Y, curve[len(curve)-1].Y)
	return c, nil
}

// points returns the curve.
func points(n int64, at func(float64) time.Duration) plotter.XYs {
	var curve plotter.XYs
	for i := 0; ; i++ {
		x := math.Pow(10, float64(i)/perDecade)
		if x >= float64(n) {
			return append(curve, plotter.XY{X: float64(n), Y: milliseconds(at(100))})
		}
		curve = append(curve, plotter.XY{X: x, Y: milliseconds(at(percent(x)))})
	}
}

// addMarks writes the latencies at 50%, at each nine and at the end beside the curve. A nine right before the end has no room.
func (c *Chart) addMarks(n float64, at func(float64) time.Duration) error {
	marks := plotter.XYLabels{}
	mark := func(x float64, name string, y float64) {
		marks.XYs = append(marks.XYs, plotter.XY{X: x, Y: y})
		marks.Labels = append(marks.Labels, name+plain(y))
	}
	for x := 2.0; x <= n/3; x = math.Pow10(int(math.Log10(x)) + 1) {
		mark(x, "", milliseconds(at(percent(x))))
	}
	mark(n, "max ", milliseconds(at(100)))
	labels, err := plotter.NewLabels(marks)
	if err != nil {
		return err
	}
	dots, err := plotter.NewScatter(marks)
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: ink, Radius: 3, Shape: draw.CircleGlyph{}}
	labels.Offset = vg.Point{X: -5, Y: 4}
	words := make([]string, len(marks.Labels))
	for i, p := range marks.XYs {
		labels.TextStyle[i] = style(textSize)
		labels.TextStyle[i].XAlign = draw.XRight // to the left, where the curve is lower
		words[i] = fmt.Sprintf("%.9g%%: %s ms", percent(p.X), plain(p.Y))
	}
	words[len(words)-1] = marks.Labels[len(words)-1] + " ms"
	c.words = strings.Join(words, "; ")
	c.plot.Add(dots, labels)
	return nil
}

// percent is the percentile at a place of the axis.
func percent(x float64) float64 { return 100 - 100/x }

// milliseconds is never zero, which has no place on a logarithmic scale.
func milliseconds(d time.Duration) float64 { return max(d, 1).Seconds() * 1e3 }
