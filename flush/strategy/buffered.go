package strategy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Buffered adds in memory, and every interval sends the sums in one upsert. The buffer is swapped for an empty one under the
// lock that increments take: no increment falls between reading and clearing. Each batch has a number, which the statement
// moves in the writer's row of strategy_writers together with the counters: a batch whose outcome was unknown is sent again
// without being counted twice.
type Buffered struct {
	table  *Table
	writer uuid.UUID

	mu     sync.Mutex
	sums   map[string]int64
	failed error // what the last flush in the background said

	sending sync.Mutex // one flush at a time; taken before mu
	number  int64      // of the last batch that the table has; under sending
	queue   []batch    // what was taken from sums and the table may not have; under sending

	stop, stopped chan struct{}
}

// batch is what one statement adds.
type batch struct {
	keys   []string
	deltas []int64
}

// maxBatch is the longest batch of one statement, in counters.
const maxBatch = 10_000

// NewBuffered returns the strategy on the table and starts its flushes, one every interval, which Close ends.
func NewBuffered(t *Table, interval time.Duration) *Buffered {
	s := &Buffered{
		table: t, writer: uuid.New(), sums: make(map[string]int64),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go s.run(interval)
	return s
}

// Name is part of Strategy.
func (*Buffered) Name() string { return "buffered" }

// Increment is part of Strategy. It answers before anything is in the table: a crash loses what was not flushed. While flushes
// fail it returns their error, so that the buffer does not grow for ever.
func (s *Buffered) Increment(_ context.Context, key string, delta int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	sum, ok := add(s.sums[key], delta)
	if !ok {
		return ErrOutOfRange
	}
	s.sums[key] = sum
	return nil
}

func (s *Buffered) run(interval time.Duration) {
	defer close(s.stopped)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := s.Flush(ctx)
		cancel()
		if err != nil {
			err = fmt.Errorf("the last flush failed, the next one may not: %w", err)
		}
		s.mu.Lock()
		s.failed = err
		s.mu.Unlock()
	}
}

// Flush is part of Strategy. After an error nothing is lost: the next one sends the same batch under the same number. A sum
// that leaves the range in the table stands in the way of all that follow.
func (s *Buffered) Flush(ctx context.Context) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.mu.Lock()
	sums := s.sums
	s.sums = make(map[string]int64, len(sums))
	s.mu.Unlock()
	s.queue = append(s.queue, batches(sums)...)
	for len(s.queue) > 0 {
		if err := s.send(ctx, s.queue[0]); err != nil {
			return err
		}
		s.queue = s.queue[1:]
	}
	return nil
}

// batches cuts sums into statements' lengths; sorted, so that two writers lock rows in one order.
func batches(sums map[string]int64) (list []batch) {
	keys := slices.Sorted(maps.Keys(sums))
	for part := range slices.Chunk(keys, maxBatch) {
		b := batch{keys: part, deltas: make([]int64, len(part))}
		for i, key := range part {
			b.deltas[i] = sums[key]
		}
		list = append(list, b)
	}
	return list
}

// sendBatch adds a batch once: where its number stands already, it writes nothing.
const sendBatch = `
with moved as (
	insert into strategy_writers as w (writer, batch) values ($1, $2)
	on conflict (writer) do update set batch = excluded.batch where w.batch < excluded.batch
	returning batch
)
insert into strategy_counters as c (key, value)
select d.key, d.delta from unnest($3::text[], $4::bigint[]) as d (key, delta), moved
on conflict (key) do update set value = c.value + excluded.value`

// send gives a batch the next number, which moves on only when the table surely has it; sending is held.
func (s *Buffered) send(ctx context.Context, b batch) error {
	if _, err := s.table.pool.Exec(ctx, sendBatch, s.writer, s.number+1, b.keys, b.deltas); err != nil {
		return inRange(err)
	}
	s.number++
	return nil
}

// Close is part of Strategy.
func (s *Buffered) Close(ctx context.Context) error {
	close(s.stop)
	<-s.stopped
	return s.Flush(ctx)
}
