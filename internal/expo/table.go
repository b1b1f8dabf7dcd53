package expo

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// Type is what stands in a family's TYPE line.
type Type string

// Types of the text format.
const (
	TypeCounter   Type = "counter"
	TypeGauge     Type = "gauge"
	TypeHistogram Type = "histogram"
	TypeSummary   Type = "summary"
	TypeUntyped   Type = "untyped"
)

// Family describes one metric family.
type Family struct {
	Name string // without labels and without _bucket, _sum, _count
	Type Type
	Help string // one sentence, with the unit where the name does not say it
}

// Table describes families, in the order in which they are written.
type Table []Family

// Source writes samples in the text format. Comment lines in it are dropped: the table is what speaks.
type Source func(w io.Writer)

// undescribed is the HELP of a sample whose family is not in the table, so that no sample ever stands bare.
const undescribed = "Not described."

// Write writes the samples of all sources to w, each family of the table once, after its HELP and TYPE lines. Families
// without a sample are left out. Families that the table lacks come last, as untyped.
func (t Table) Write(w io.Writer, sources ...Source) {
	var in bytes.Buffer
	for _, source := range sources {
		source(&in)
	}
	groups := make(map[string]*bytes.Buffer, len(t))
	kinds := make(map[string]Type, len(t))
	for _, f := range t {
		kinds[f.Name] = f.Type
	}
	var unknown []string
	for line := range bytes.Lines(in.Bytes()) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		name := familyOf(sampleName(line), kinds)
		group := groups[name]
		if group == nil {
			group = new(bytes.Buffer)
			groups[name] = group
			if _, ok := kinds[name]; !ok {
				unknown = append(unknown, name)
			}
		}
		group.Write(line)
		group.WriteByte('\n')
	}
	out := bufio.NewWriter(w)
	for _, f := range t {
		writeFamily(out, f, groups[f.Name])
	}
	for _, name := range unknown {
		writeFamily(out, Family{Name: name, Type: TypeUntyped, Help: undescribed}, groups[name])
	}
	_ = out.Flush() // the reader of a metrics page who went away needs no answer
}

func writeFamily(w *bufio.Writer, f Family, samples *bytes.Buffer) {
	if samples == nil {
		return
	}
	w.WriteString("# HELP " + f.Name + " " + escapeHelp(f.Help) + "\n# TYPE " + f.Name + " " + string(f.Type) + "\n")
	w.Write(samples.Bytes())
}

// sampleName returns what stands before the labels or the value of a sample line.
func sampleName(line []byte) string {
	if i := bytes.IndexAny(line, "{ \t"); i >= 0 {
		line = line[:i]
	}
	return string(line)
}

// familyOf returns the family that a sample belongs to: a histogram and a summary have samples with suffixes.
func familyOf(sample string, kinds map[string]Type) string {
	if _, ok := kinds[sample]; ok {
		return sample
	}
	for _, suffix := range [...]string{"_bucket", "_sum", "_count"} {
		base, ok := strings.CutSuffix(sample, suffix)
		if !ok {
			continue
		}
		switch kinds[base] {
		case TypeHistogram:
			return base
		case TypeSummary:
			if suffix != "_bucket" {
				return base
			}
		}
	}
	return sample
}

func escapeHelp(help string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(help)
}
