package flush

import (
	"context"
	"errors"
)

// errMoved ends a search for refused deltas: the batch does not match any more, and the next try says so.
var errMoved = errors.New("the store changed while refused deltas were looked for")

// isolate returns the deltas that the database refuses, each on its own, with its reasons: by halving, in
// statements that are rolled back. An error means that it could not find out.
func (f *Flusher) isolate(ctx context.Context, p *pending, rep *report) (map[string]string, error) {
	deltas := make([]Delta, 0, len(p.Deltas))
	for _, d := range p.Deltas {
		if _, known := p.quarantine[d.Key]; !known {
			deltas = append(deltas, d)
		}
	}
	found := map[string]string{}
	var search func([]Delta) error
	search = func(some []Delta) error {
		if len(some) == 0 {
			return nil
		}
		err := f.probe(ctx, p, some, rep)
		var refused *DataError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &refused):
			return err
		case len(some) == 1:
			found[some[0].Key] = refused.Error()
			return nil
		}
		middle := len(some) / 2
		if err := search(some[:middle]); err != nil {
			return err
		}
		return search(some[middle:])
	}
	// All of them together have just been refused: begin with the halves.
	if len(deltas) < 2 {
		return found, search(deltas)
	}
	middle := len(deltas) / 2
	if err := search(deltas[:middle]); err != nil {
		return nil, err
	}
	return found, search(deltas[middle:])
}

// probe asks whether the database would take these deltas.
func (f *Flusher) probe(ctx context.Context, p *pending, some []Delta, rep *report) error {
	req := &Request{Node: f.node, DryRun: true, Batches: []Batch{{
		Partition: p.Partition, Epoch: p.Epoch, Moves: p.Moves, Deltas: some,
	}}}
	res, err, _ := f.send(ctx, f.opt.Timeout, req, rep)
	if err == nil && !res.Applied {
		return errMoved
	}
	return err
}

// blame returns the deltas to set aside, given those that are refused on their own; nil when that cannot help.
//
// When none is, the reason may have passed meanwhile, so the batch gets another try. If it is refused again, it
// is the deltas together that are refused: all of them are set aside, rather than stopping the partition for ever.
func (p *pending) blame(found map[string]string, refusal error) map[string]string {
	if len(found) == 0 {
		if len(p.quarantine) == len(p.Deltas) {
			return nil // nothing is left to set aside: it is not the counters that are refused
		}
		p.fruitless++
	}
	if p.fruitless > 1 {
		for _, d := range p.Deltas {
			found[d.Key] = refusal.Error()
		}
	}
	for key, reason := range p.quarantine {
		found[key] = reason
	}
	return found
}
