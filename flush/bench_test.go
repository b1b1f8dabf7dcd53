package flush_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/pinocchio-nose/pinocchio/flush"
)

const (
	benchKeys  = 200_000
	benchChunk = 20_000
	benchParts = 271
)

// BenchmarkFlush compares the flush with the bare upsert that it contains: the same keys, in chunks of the same
// size, on one connection. The first round inserts, the others update.
func BenchmarkFlush(b *testing.B) {
	settings := flush.Settings{Cluster: "bench", Partitions: benchParts, Hash: "h", Ring: "r"}
	b.Run("postgres", func(b *testing.B) {
		db := server.NewDatabase(b)
		store, err := flush.Open(b.Context(), server.URL(db), settings, flush.Options{})
		benchFlush(b, store, err)
	})
	b.Run("sqlite", func(b *testing.B) {
		store, err := flush.Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "store.db"), settings, flush.Options{})
		benchFlush(b, store, err)
	})
	b.Run("postgres-bare-upsert", func(b *testing.B) {
		url := server.URL(server.NewDatabase(b))
		c, err := pgx.Connect(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = c.Close(context.WithoutCancel(b.Context())) }()
		benchBare(b, c)
	})
}

func benchBatches() [][]flush.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	var all [][]flush.Batch
	const perBatch = benchKeys / benchParts
	for p := range uint32(benchParts) {
		batch := flush.Batch{Partition: p, Epoch: 1}
		for range perBatch {
			batch.Deltas = append(batch.Deltas, flush.Delta{Key: fmt.Sprintf("key:%016x", r.Uint64()), Delta: 1})
		}
		if p%(benchChunk/perBatch) == 0 {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], batch)
	}
	return all
}

func benchFlush(b *testing.B, store flush.Store, err error) {
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	ctx := b.Context()
	id := uuid.Must(uuid.NewV7())
	if err := store.Register(ctx, flush.Node{ID: id, Name: "bench"}, time.Hour); err != nil {
		b.Fatal(err)
	}
	var want []flush.Ownership
	for p := range uint32(benchParts) {
		want = append(want, flush.Ownership{Partition: p})
	}
	if won, err := store.Claim(ctx, id, want); err != nil || len(won) != benchParts {
		b.Fatal(won, err)
	}
	chunks := benchBatches()
	keys := 0
	number := uint64(0)
	for b.Loop() {
		for _, chunk := range chunks {
			for i := range chunk {
				chunk[i].Moves = []flush.Move{{Origin: id, From: number, To: number + 1}}
				keys += len(chunk[i].Deltas)
			}
			res, err := store.Flush(ctx, &flush.Request{Node: id, Batches: chunk})
			if err != nil || !res.Applied {
				b.Fatal(res, err)
			}
		}
		number++
	}
	b.ReportMetric(float64(keys)/b.Elapsed().Seconds(), "keys/s")
}

func benchBare(b *testing.B, c *pgx.Conn) {
	ctx := b.Context()
	if _, err := c.Exec(ctx, `create table counters (key text collate "C" primary key, value bigint not null,
		inserted_at timestamptz not null default now(), updated_at timestamptz not null default now())
		with (fillfactor = 80)`); err != nil {
		b.Fatal(err)
	}
	type chunk struct {
		keys   []string
		deltas []int64
	}
	var chunks []chunk
	for _, batches := range benchBatches() {
		var one chunk
		for _, batch := range batches {
			for _, d := range batch.Deltas {
				one.keys, one.deltas = append(one.keys, d.Key), append(one.deltas, d.Delta)
			}
		}
		slices.Sort(one.keys)
		chunks = append(chunks, one)
	}
	keys := 0
	for b.Loop() {
		for _, one := range chunks {
			_, err := c.Exec(ctx, `insert into counters as c (key, value)
				select k, d from unnest($1::text[], $2::bigint[]) as u (k, d) order by k
				on conflict (key) do update set value = c.value + excluded.value, updated_at = now()`, one.keys, one.deltas)
			if err != nil {
				b.Fatal(err)
			}
			keys += len(one.keys)
		}
	}
	b.ReportMetric(float64(keys)/b.Elapsed().Seconds(), "keys/s")
}
