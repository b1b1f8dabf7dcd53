package chart

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Format is how a chart is written.
type Format string

// Formats.
const (
	SVG Format = "svg"
	PNG Format = "png"
)

// FormatOf returns the format that a file's ending asks for.
func FormatOf(path string) (Format, error) {
	switch f := Format(strings.ToLower(strings.TrimPrefix(filepath.Ext(path), "."))); f {
	case SVG, PNG:
		return f, nil
	}
	return "", fmt.Errorf("%q ends neither in .svg nor in .png, which says how the chart is written", path)
}

// Measures of all charts, in points.
const (
	width    = 760
	margin   = 14
	textSize = 12
	density  = 144 // dots an inch of a PNG: twice a point's
)

var (
	ink    = color.RGBA{0x1f, 0x29, 0x33, 0xff}
	pale   = color.RGBA{0xd5, 0xdb, 0xe1, 0xff}
	accent = color.RGBA{0x2f, 0x7d, 0x6d, 0xff}
)

// Chart is ready to be written.
type Chart struct {
	plot   *plot.Plot
	height vg.Length
	title  string
	words  string // the chart for who cannot see it
}

// blank returns a chart without data. The title may have two lines.
func blank(title string, height vg.Length) *Chart {
	p := plot.New()
	p.BackgroundColor = nil // Write fills the margin, too
	p.Title.Text, p.Title.Padding = title, 12
	p.Title.TextStyle = style(textSize + 1)
	p.Title.TextStyle.XAlign, p.Title.TextStyle.YAlign = draw.XCenter, draw.YTop
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		dress(&axis.Label.TextStyle, textSize)
		dress(&axis.Tick.Label, textSize-1)
		axis.Label.Padding = 6
		axis.Color, axis.Tick.Color, axis.Tick.Length = ink, ink, 6
	}
	return &Chart{plot: p, height: height, title: strings.Split(title, "\n")[0]}
}

// style returns a style of text in the charts' font and color.
func style(size vg.Length) text.Style {
	s := text.Style{Handler: plot.DefaultTextHandler}
	dress(&s, size)
	return s
}

// dress gives a style the charts' font and color, and leaves its alignment.
func dress(s *text.Style, size vg.Length) {
	s.Color, s.Font = ink, font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
}

// Write writes the chart.
func (c *Chart) Write(w io.Writer, f Format) error {
	if f == PNG {
		canvas := vgimg.NewWith(vgimg.UseWH(width, c.height), vgimg.UseDPI(density))
		c.draw(canvas)
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	}
	canvas := vgsvg.New(width, c.height)
	c.draw(canvas)
	var drawn bytes.Buffer
	if _, err := canvas.WriteTo(&drawn); err != nil {
		return err
	}
	_, err := io.WriteString(w, c.dressed(drawn.String()))
	return err
}

func (c *Chart) draw(on vg.CanvasSizer) {
	whole := draw.New(on)
	whole.SetColor(color.White)
	whole.Fill(whole.Rectangle.Path())
	c.plot.Draw(draw.Crop(whole, margin, -margin, margin, -margin))
}

// dressed gives an SVG of the library a head of ours: without a prologue, so that it can stand in a page; with the chart in words,
// and of a size in pixels. Readers that lack the library's font get the names of others.
func (c *Chart) dressed(svg string) string {
	_, rest, _ := strings.Cut(svg, "<svg")
	_, body, _ := strings.Cut(rest, ">\n")
	body = writing.ReplaceAllStringFunc(body, measured)
	body = strings.ReplaceAll(body, "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" height="%.0f" role="img">`+
		"\n<title>%s</title>\n<desc>%s</desc>\n%s", width, c.height, width, c.height, html.EscapeString(c.title), html.EscapeString(c.words), body)
}

// writing is a text as the library writes it: its attributes, its size and what it says.
var writing = regexp.MustCompile(`<text ([^>]*font-size:([0-9.]+)px[^>]*)>([^<]*)</text>`)

// measured ties a text to the width that the chart was laid out for. In a wider font it would run over the edge or into a bar.
func measured(element string) string {
	part := writing.FindStringSubmatch(element)
	size, err := strconv.ParseFloat(part[2], 64)
	if err != nil || part[3] == "" {
		return element
	}
	length := style(vg.Length(size)).Width(html.UnescapeString(part[3]))
	return fmt.Sprintf(`<text textLength="%.1f" lengthAdjust="spacingAndGlyphs" %s>%s</text>`, length, part[1], part[3])
}
