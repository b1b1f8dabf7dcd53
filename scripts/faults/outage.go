package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pinocchio-nose/pinocchio/scripts/internal/rig"
)

// The bounds of what a node holds for Postgres are small here, so that a minute shows what an hour would: beyond them it refuses.
const (
	mostPending   = 20_000 // operations
	mostPendingMB = 8
	floodBatch    = 5000 // increments in a request, each of a key of its own
	warmRounds    = 30   // at the bound, until garbage collection has found its pace
	flatRounds    = 120  // in which memory must not grow
	floodLimit    = time.Minute
	// mostGrowth is what the peak of memory may differ by. Had a node kept as little as 64 bytes of each increment that it refused,
	// its memory would have grown by 36 MiB.
	mostGrowth = 8 << 20
)

func outageFlags() []string {
	return []string{"--max-pending", strconv.Itoa(mostPending), "--max-pending-mb", strconv.Itoa(mostPendingMB)}
}

// floodPrefix begins the keys of a flood.
const floodPrefix = "flood:"

// flood sends increments of 1, each to a key that was never used, to all nodes.
type flood struct {
	*trial
	next int
	mu   sync.Mutex
	sums floodSums
}

// floodSums is what became of increments.
type floodSums struct{ accepted, later, refused, unknown int64 }

// outageFlat takes Postgres away, fills every node to its bound, and goes on.
func outageFlat(ctx context.Context, t *trial) error {
	f := &flood{trial: t}
	down := time.Now()
	t.pg.Kill9()
	if err := f.fill(ctx); err != nil {
		return err
	}
	t.rep.note("kill -9 of Postgres; after %.1f s every node refuses: %d increments are held, %d of them counted later", time.Since(down).Seconds(), f.sums.accepted, f.sums.later)
	warm, err := f.peaks(ctx, warmRounds)
	if err != nil {
		return err
	}
	before := f.sums.refused
	flat, err := f.peaks(ctx, flatRounds)
	if err != nil {
		return err
	}
	for i, m := range t.members {
		t.rep.promise(flat[i] <= warm[i]+mostGrowth, "memory of %s is flat: at most %.1f MiB in %d rounds at the bound, then %.1f MiB in %d more",
			m.Name, mib(warm[i]), warmRounds, mib(flat[i]), flatRounds)
	}
	t.rep.promise(f.sums.refused-before > 0, "%d increments of as many keys were refused in these rounds", f.sums.refused-before)
	if err := t.pg.Restart(); err != nil {
		return err
	}
	up := time.Now()
	t.rep.note("Postgres is back after %.1f s", up.Sub(down).Seconds())
	if err := t.awaitBalance(ctx); err != nil {
		return err
	}
	if err := rig.Await(ctx, settleLimit, "everything in the table", func() error { return t.atRest(ctx) }); err != nil {
		return err
	}
	t.recovery(time.Since(up))
	return f.settle()
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// fill floods until each node refuses a whole batch.
func (f *flood) fill(ctx context.Context) error {
	return rig.Await(ctx, settleLimit+floodLimit, "every node full", func() error {
		before := f.sums.refused
		if err := f.round(ctx); err != nil {
			return err
		}
		if all := int64(len(f.members) * floodBatch); f.sums.refused-before < all {
			return fmt.Errorf("%d increments of %d are refused", f.sums.refused-before, all)
		}
		return nil
	})
}

// peaks floods in so many rounds and returns the most memory that each node had after one.
func (f *flood) peaks(ctx context.Context, rounds int) ([]int64, error) {
	peaks := make([]int64, len(f.members))
	for range rounds {
		if err := f.round(ctx); err != nil {
			return nil, err
		}
		for i, m := range f.members {
			resident, err := residentOf(m.process.ID())
			if err != nil {
				return nil, fmt.Errorf("memory of %s: %w", m.Name, err)
			}
			peaks[i] = max(peaks[i], resident)
		}
	}
	return peaks, ctx.Err()
}

// round sends each node a batch.
func (f *flood) round(ctx context.Context) error {
	errs := make([]error, len(f.members))
	var running sync.WaitGroup
	for i, m := range f.members {
		first := f.next
		f.next += floodBatch
		running.Go(func() { errs[i] = f.batch(ctx, m, first) })
	}
	running.Wait()
	return errors.Join(errs...)
}

func (f *flood) batch(ctx context.Context, m *member, first int) error {
	var body bytes.Buffer
	for i := range floodBatch {
		_, _ = fmt.Fprintf(&body, "{\"key\":\"%s%d\",\"value\":1}\n", floodPrefix, first+i)
	}
	ask, cancel := context.WithTimeout(ctx, floodLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ask, http.MethodPost, "http://"+m.HTTP+"/api/v1/increments", &body)
	if err != nil {
		return err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return fmt.Errorf("a batch at %s: %w", m.Name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	sums, err := readOutcomes(bufio.NewScanner(resp.Body))
	if err != nil {
		return fmt.Errorf("a batch at %s: %s: %w", m.Name, resp.Status, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sums.accepted += sums.accepted
	f.sums.later += sums.later
	f.sums.refused += sums.refused
	f.sums.unknown += sums.unknown
	return nil
}

// readOutcomes reads one line for each increment of a batch.
func readOutcomes(lines *bufio.Scanner) (sums floodSums, err error) {
	read := 0
	for ; lines.Scan(); read++ {
		var o struct {
			Status  int
			Counted string
		}
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return sums, fmt.Errorf("%.200q: %w", lines.Bytes(), err)
		}
		switch o.Status {
		case http.StatusAccepted:
			sums.accepted++
			if o.Counted == "later" {
				sums.later++
			}
		case http.StatusServiceUnavailable:
			sums.refused++
		case http.StatusGatewayTimeout:
			sums.unknown++
		default:
			return sums, fmt.Errorf("unexpected: %.200q", lines.Bytes())
		}
	}
	if err := lines.Err(); err != nil {
		return sums, err
	}
	if read != floodBatch {
		return sums, fmt.Errorf("%d answers to %d increments", read, floodBatch)
	}
	return sums, nil
}

// settle promises that what was accepted stands in the table, each key once.
func (f *flood) settle() error {
	table, err := f.table(floodPrefix)
	if err != nil {
		return err
	}
	doubled := int64(0)
	for _, c := range table {
		doubled += c.value - 1
	}
	missing := max(0, f.sums.accepted-int64(len(table)))
	surplus := max(0, int64(len(table))-f.sums.accepted-f.sums.unknown)
	row := &f.rep.row
	row.requests = f.sums.accepted + f.sums.refused + f.sums.unknown
	row.failed, row.later, row.unknown = f.sums.refused+f.sums.unknown, f.sums.later, f.sums.unknown
	row.missing, row.doubled = missing, doubled+surplus
	f.rep.promise(missing == 0 && doubled+surplus == 0, "the table has %d keys of the flood, each counted once: accepted were %d, with an unknown outcome %d (missing %d, doubled %d, refused and counted %d)",
		len(table), f.sums.accepted, f.sums.unknown, missing, doubled, surplus)
	return nil
}

// residentOf returns the memory that a process has now, in bytes.
func residentOf(pid int) (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("the process has ended")
}
