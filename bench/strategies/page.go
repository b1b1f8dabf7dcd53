package strategies

import (
	"html/template"
	"io"
	"strings"

	"github.com/pinocchio-nose/pinocchio/bench/chart"
)

// WriteHTML writes the comparison as one page that needs nothing else: table, chart and conditions.
func (r *Report) WriteHTML(w io.Writer) error {
	var svg strings.Builder
	if err := r.WriteChart(&svg, chart.SVG); err != nil {
		return err
	}
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	return t.Execute(w, struct {
		*Report
		Conditions string
		Columns    []string
		Rows       [][]string
		Chart      template.HTML
	}{r, r.conditions(), columns[:], r.rows(), template.HTML(svg.String())}) // the chart escapes what it was given
}

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #8884 }
th:first-child, td:first-child { text-align: left }
svg { max-width: 100%; height: auto; border-radius: 6px }
.wide { overflow-x: auto }
</style>
<h1>{{.Title}}</h1>
<ul>{{range .Environment}}<li>{{.}}</li>{{end}}<li>{{.Conditions}}</li></ul>
<div class="wide"><table>
<thead><tr>{{range .Columns}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
<tbody>{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>{{end}}</tbody>
</table></div>
<p>{{.Chart}}</p>
<p>Average, deviation, median, percentile, minimum and maximum are of one increment's time. The rate includes the last flush.
The whiskers are one standard deviation of the rates of a twentieth of the time each.</p>
{{with .Consistency}}<p><strong>{{.}}</strong></p>{{end}}
</html>
`
