package bench

import (
	"context"
	"fmt"
)

// storeChunk bounds the keys of one look into the store.
const storeChunk = 10_000

// checkStore reads the table until it holds each key's total as the service told it, or VerifyTimeout has passed: the
// service writes about once a second. A key that no target could tell is held against what the answers allow.
func (v *verifier) checkStore(ctx context.Context, r *Verification) *StoreVerification {
	ctx, cancel := context.WithTimeout(ctx, v.options.VerifyTimeout)
	defer cancel()
	stored := make([]reading, len(v.before))
	pending := allKeys(len(v.before))
	result := &StoreVerification{}
	for {
		err := v.readStore(ctx, pending, stored)
		if err == nil {
			result.Error = ""
			pending = without(pending, func(k int) bool { return v.stands(k, stored[k]) })
		} else if ctx.Err() == nil || result.Error == "" {
			result.Error = err.Error()
		}
		if err == nil && len(pending) == 0 || !sleep(ctx, pollPause) {
			break
		}
	}
	for k := range stored {
		if stored[k].ok {
			result.Sum += stored[k].value - v.before[k]
		}
	}
	result.Drifted = len(pending)
	for _, k := range pending {
		v.addDrift(r, k, "store", stored[k])
	}
	return result
}

// stands tells that a stored value is what the service says.
func (v *verifier) stands(key int, stored reading) bool {
	if told := v.totals[v.first][key]; told.ok {
		return stored.value == told.value
	}
	low, high := v.bounds(key)
	return stored.value >= low && stored.value <= high
}

// readStore reads the values of keys into into[key]. A key without a counter stands at 0.
func (v *verifier) readStore(ctx context.Context, keys []int, into []reading) error {
	for len(keys) > 0 {
		chunk := keys[:min(storeChunk, len(keys))]
		names := make([]string, len(chunk))
		for i, k := range chunk {
			names[i] = v.options.key(k)
		}
		values, err := v.options.Store.Values(ctx, names)
		if err != nil {
			return fmt.Errorf("reading the store: %w", err)
		}
		for i, k := range chunk {
			into[k] = reading{value: values[names[i]], ok: true}
		}
		keys = keys[len(chunk):]
	}
	return nil
}
