package chart

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bar is one measured rate.
type Bar struct {
	Name      string
	Rate      float64
	Deviation float64 // the whisker's length to each side
	Figure    string  // written at the bar
}

// Measures of bars, in points.
const (
	barStep  = 46 // from bar to bar
	barWidth = 26
)

// Bars returns a chart of rates, the first bar on top. unit stands at the axis.
func Bars(title, unit string, bars []Bar) (*Chart, error) {
	if len(bars) == 0 {
		return nil, errors.New("chart: no bars")
	}
	c := blank(title, vg.Length(barStep*len(bars)+110))
	rates := make(plotter.Values, len(bars))
	names, words, figures := make([]string, len(bars)), make([]string, len(bars)), make([]string, len(bars))
	ends := make(plotter.XYs, len(bars)) // where the figures stand
	low, high := math.Inf(1), math.Inf(-1)
	for i, b := range bars {
		if !(b.Rate > 0 && b.Deviation >= 0) || math.IsInf(b.Rate+b.Deviation, 0) {
			return nil, fmt.Errorf("chart: %s: the rate %v ± %v has no place on a logarithmic scale", b.Name, b.Rate, b.Deviation)
		}
		row := len(bars) - 1 - i // rows count from below
		rates[row], names[row], figures[row] = b.Rate, b.Name, b.Figure
		ends[row] = plotter.XY{X: b.Rate + b.Deviation, Y: float64(row)}
		low, high = min(low, b.Rate), max(high, ends[row].X)
		words[i] = b.Name + ": " + b.Figure
	}
	c.words = strings.Join(words, "; ")
	if err := c.addBars(rates, ends); err != nil {
		return nil, err
	}
	if err := c.addFigures(ends, figures); err != nil {
		return nil, err
	}
	p := c.plot
	p.NominalY(names...)
	p.X.Label.Text, p.X.Padding = unit, 0
	p.X.Scale, p.X.Tick.Marker = floored{}, decades{label: short, short: 2}
	p.X.Min, p.X.Max = math.Pow10(int(math.Floor(math.Log10(low)))-1), high // the least bar is a decade long, so that it is seen
	p.Y.Min, p.Y.Max, p.Y.Padding = -0.5, float64(len(bars))-0.5, 0
	return c, nil
}

// addBars draws the bars and the whiskers on a grid.
func (c *Chart) addBars(rates plotter.Values, ends plotter.XYs) error {
	bars, err := plotter.NewBarChart(rates, barWidth)
	if err != nil {
		return err
	}
	bars.Horizontal, bars.Color, bars.LineStyle.Width = true, accent, 0
	spread := struct {
		plotter.XYs
		plotter.XErrors
	}{make(plotter.XYs, len(rates)), make(plotter.XErrors, len(rates))}
	for i, rate := range rates {
		spread.XYs[i] = plotter.XY{X: rate, Y: float64(i)}
		spread.XErrors[i].Low, spread.XErrors[i].High = ends[i].X-rate, ends[i].X-rate
	}
	whiskers, err := plotter.NewXErrorBars(spread)
	if err != nil {
		return err
	}
	whiskers.Color, whiskers.Width, whiskers.CapWidth = ink, 1.5, 12
	c.plot.Add(grid(true, false), bars, whiskers)
	return nil
}

// addFigures writes the figures behind the whiskers.
func (c *Chart) addFigures(ends plotter.XYs, figures []string) error {
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: ends, Labels: figures})
	if err != nil {
		return err
	}
	labels.Offset = vg.Point{X: 8, Y: 1.5}
	for i := range labels.TextStyle {
		labels.TextStyle[i] = style(textSize)
		labels.TextStyle[i].YAlign = draw.YCenter
	}
	c.plot.Add(labels)
	return nil
}

// grid draws pale lines at the marks that have labels.
func grid(vertical, horizontal bool) plot.Plotter {
	g := plotter.NewGrid()
	for _, side := range []struct {
		line *draw.LineStyle
		on   bool
	}{{&g.Vertical, vertical}, {&g.Horizontal, horizontal}} {
		side.line.Color, side.line.Width = pale, 0.75
		if !side.on {
			side.line.Color = nil // the library's word for none
		}
	}
	return g
}
