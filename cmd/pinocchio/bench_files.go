package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pinocchio-nose/pinocchio/bench/chart"
)

// output is a file that a benchmark writes its result R to, by the flag that names it.
type output[R any] struct {
	flag, path string // no path: not wanted
	write      func(result R, w io.Writer) error
}

// outputs are opened before a measurement: who waited for it must not lose it to a wrong path.
type outputs[R any] struct {
	parts []output[R]
	open  []*os.File // of each part
}

// openOutputs opens those that are wanted.
func openOutputs[R any](all ...output[R]) (*outputs[R], error) {
	o := &outputs[R]{}
	for _, part := range all {
		if part.path == "" {
			continue
		}
		file, err := os.Create(part.path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("--%s: %w", part.flag, err), o.close())
		}
		o.parts, o.open = append(o.parts, part), append(o.open, file)
	}
	return o, nil
}

// write writes the result to all, even when one fails.
func (o *outputs[R]) write(result R) error {
	var errs []error
	for i, part := range o.parts {
		if err := part.write(result, o.open[i]); err != nil {
			errs = append(errs, fmt.Errorf("--%s: %w", part.flag, err))
		}
	}
	return errors.Join(errs...)
}

func (o *outputs[R]) close() error {
	var errs []error
	for _, file := range o.open {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// plotted is a result that can be drawn.
type plotted interface {
	WriteChart(w io.Writer, f chart.Format) error
}

// plotOutput is the output of --plot, whose path has passed plottable.
func plotOutput[R plotted](path string) output[R] {
	return output[R]{"plot", path, func(result R, w io.Writer) error {
		f, err := chart.FormatOf(path)
		if err != nil {
			return err
		}
		return result.WriteChart(w, f)
	}}
}

// jsonOutput is the output of --json.
func jsonOutput[R any](path string) output[R] {
	return output[R]{"json", path, func(result R, w io.Writer) error { return writeJSON(w, result) }}
}

// plottable refuses a --plot whose ending says no format. None is fine.
func plottable(path string) error {
	if path == "" {
		return nil
	}
	if _, err := chart.FormatOf(path); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}
