package chart_test

import (
	"bytes"
	"encoding/xml"
	"image/color"
	"image/png"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pinocchio-nose/pinocchio/bench/chart"
)

// svg is what the tests look at in a chart.
type svg struct {
	XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
	ViewBox string   `xml:"viewBox,attr"`
	Title   string   `xml:"title"`
	Desc    string   `xml:"desc"`
	Group   group    `xml:"g"`
}

type group struct {
	Paths []struct {
		D     string `xml:"d,attr"`
		Style string `xml:"style,attr"`
	} `xml:"path"`
	Texts []struct {
		X      float64 `xml:"x,attr"`
		Length float64 `xml:"textLength,attr"`
		Text   string  `xml:",chardata"`
	} `xml:"text"`
	Groups []group `xml:"g"` // what is turned
}

// drawn writes the chart as SVG and reads it.
func drawn(t *testing.T, c *chart.Chart, err error) (s svg, texts []string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Write(&out, chart.SVG); err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	if !strings.HasPrefix(out.String(), "<svg ") || strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
		t.Errorf("cannot stand in a page: %s", &out)
	}
	for _, text := range s.Group.Texts {
		texts = append(texts, text.Text)
		if right := text.X + text.Length; text.X < 0 || right > 760 || text.Length <= 0 {
			t.Errorf("%q goes from %v to %v of 760", text.Text, text.X, right)
		}
	}
	return s, texts
}

// contain tells which of the wanted texts lack.
func contain(t *testing.T, texts []string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(texts, w) {
			t.Errorf("no %q among %q", w, texts)
		}
	}
}

// bars are rates far apart, one of them with a whisker that is longer than its bar.
func bars() []chart.Bar {
	return []chart.Bar{
		{Name: "buffered<&>", Rate: 13_287_081, Deviation: 912_345, Figure: "13,287,081 ±912,345"},
		{Name: "upsert", Rate: 3592, Deviation: 4000, Figure: "3,592 ±4,000"},
		{Name: "naive", Rate: 2599, Figure: "2,599 ±0.0"},
	}
}

func TestBars_HaveNamesFiguresAndWhiskersOnALogarithmicScale(t *testing.T) {
	c, err := chart.Bars("Rates of <all>\nparallel 1", "increments a second", bars())
	s, texts := drawn(t, c, err)
	contain(t, texts, "Rates of <all>", "parallel 1", "increments a second", "buffered<&>", "upsert", "naive",
		"13,287,081 ±912,345", "3,592 ±4,000", "2,599 ±0.0", "100", "1k", "10k", "100k", "1M", "10M")
	if s.Title != "Rates of <all>" || !strings.Contains(s.Desc, "upsert: 3,592 ±4,000") {
		t.Errorf("in words: %q, %q", s.Title, s.Desc)
	}
	var lengths []float64
	whiskers := 0
	for _, p := range s.Group.Paths {
		switch {
		case strings.Contains(p.Style, "fill:#2F7D6D"):
			lengths = append(lengths, breadth(t, p.D))
		case strings.Contains(p.Style, "stroke-width:1.5"):
			whiskers++
		}
	}
	if len(lengths) != 3 || whiskers != 3+2*3-1 { // lines and caps, but for the cap that lies below the scale
		t.Fatalf("%d bars, %d strokes of whiskers", len(lengths), whiskers)
	}
	slices.Sort(lengths) // of decades above 100
	for i, b := range []float64{2599, 3592} {
		if want := math.Log10(b/100) / math.Log10(13_287_081.0/100); math.Abs(lengths[i]/lengths[2]-want) > 0.002 {
			t.Errorf("the bar of %v is %v of the longest, want %v", b, lengths[i]/lengths[2], want)
		}
	}
}

// breadth is how far a path of lines reaches across.
func breadth(t *testing.T, d string) float64 {
	t.Helper()
	low, high := math.Inf(1), math.Inf(-1)
	for _, point := range strings.FieldsFunc(d, func(r rune) bool { return strings.ContainsRune("MLZ", r) }) {
		x, err := strconv.ParseFloat(strings.Split(point, ",")[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		low, high = min(low, x), max(high, x)
	}
	return high - low
}

func TestBars_AreAPNG(t *testing.T) {
	c, err := chart.Bars("Rates", "increments a second", bars())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Write(&out, chart.PNG); err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	size, green := picture.Bounds().Size(), 0
	for x := range size.X {
		for y := range size.Y {
			if color.RGBAModel.Convert(picture.At(x, y)) == (color.RGBA{0x2f, 0x7d, 0x6d, 0xff}) {
				green++
			}
		}
	}
	if size.X != 1520 || green < 20_000 {
		t.Errorf("%v with %d pixels of bars", size, green)
	}
	if r, g, b, a := picture.At(0, 0).RGBA(); r&g&b&a != 0xffff {
		t.Error("the ground is not white")
	}
}

func TestBars_RefuseWhatHasNoPlace(t *testing.T) {
	for _, b := range []chart.Bar{{Rate: 0}, {Rate: -1}, {Rate: math.NaN()}, {Rate: math.Inf(1)}, {Rate: 1, Deviation: math.NaN()}, {Rate: 1, Deviation: -1}} {
		b.Name = "odd"
		if _, err := chart.Bars("", "", []chart.Bar{b}); err == nil || !strings.Contains(err.Error(), "odd") {
			t.Errorf("%+v: %v", b, err)
		}
	}
	if _, err := chart.Bars("", "", nil); err == nil {
		t.Error("no bars at all were drawn")
	}
}

// rising is a latency of half a millisecond that grows by the nines.
func rising(percent float64) time.Duration {
	if percent >= 100 {
		return 212 * time.Millisecond
	}
	return time.Duration(500_000 * math.Pow(1/(1-percent/100), 0.3))
}

func TestLatency_MarksTheNinesAndTheLongest(t *testing.T) {
	c, err := chart.Latency("Latency\nclosed loop", 123_456, rising)
	s, texts := drawn(t, c, err)
	contain(t, texts, "Latency", "closed loop", "percentile", "0%", "50%", "90%", "99%", "99.9%", "99.99%", "99.999%", "1", "10", "100",
		"0.616", "0.998", "1.99", "3.97", "7.92", "max 212")
	if len(s.Group.Groups) != 1 || s.Group.Groups[0].Texts[0].Text != "milliseconds" {
		t.Errorf("the upright axis: %+v", s.Group.Groups)
	}
	if want := "50%: 0.616 ms; 90%: 0.998 ms; 99%: 1.99 ms; 99.9%: 3.97 ms; 99.99%: 7.92 ms; max 212 ms"; s.Desc != want {
		t.Errorf("in words: %q, want %q", s.Desc, want)
	}
	for i, a := range s.Group.Texts {
		for _, b := range s.Group.Texts[i+1:] {
			if strings.HasSuffix(a.Text, "%") && strings.HasSuffix(b.Text, "%") && a.X+a.Length > b.X && b.X+b.Length > a.X {
				t.Errorf("%q lies over %q", a.Text, b.Text)
			}
		}
	}
}

func TestLatency_IsDrawnOfFewAndOfMany(t *testing.T) {
	same := func(float64) time.Duration { return time.Millisecond }
	none := func(float64) time.Duration { return 0 }
	for _, n := range []int64{1, 2, 9, 10, 11, 1_000, 1_000_000_000} {
		for _, at := range []func(float64) time.Duration{rising, same, none} {
			c, err := chart.Latency("Latency", n, at)
			_, texts := drawn(t, c, err)
			if !slices.ContainsFunc(texts, func(s string) bool { return strings.HasPrefix(s, "max ") }) {
				t.Errorf("%d: no longest among %q", n, texts)
			}
		}
	}
	if _, err := chart.Latency("Latency", 0, rising); err == nil {
		t.Error("no latencies at all were drawn")
	}
}

func TestFormatOf_GoesByTheEnding(t *testing.T) {
	for path, want := range map[string]chart.Format{"a.svg": chart.SVG, "a.b/c.PNG": chart.PNG} {
		if f, err := chart.FormatOf(path); f != want || err != nil {
			t.Errorf("%s: %q, %v", path, f, err)
		}
	}
	for _, path := range []string{"", "svg", "a.pdf", "a.svg/b", "a."} {
		if _, err := chart.FormatOf(path); err == nil || !strings.Contains(err.Error(), ".svg") || !strings.Contains(err.Error(), ".png") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
