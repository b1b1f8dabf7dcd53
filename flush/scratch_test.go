package flush_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"bytes"
	"strconv"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pinocchio-nose/pinocchio/flush"
)

func cpu(pid int) float64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	u, _ := strconv.Atoi(f[11])
	s, _ := strconv.Atoi(f[12])
	return float64(u+s) / 100
}

func TestScratch(t *testing.T) {
	db := server.NewDatabase(t)
	type variant struct {
		name string
		c    *pgx.Conn
		pid  int
		base float64
		wall time.Duration
		id   uuid.UUID
	}
	var vs []*variant
	for _, name := range []string{"bare", "ordered", "plain", "none", "dynamic"} {
		server.Query(t, db, "create schema "+name)
		url := server.URL(db) + "&search_path=" + name
		s, err := flush.Open(t.Context(), url, flush.Settings{Cluster: "c", Partitions: 271, Hash: "h", Ring: "r"}, flush.Options{})
		if err != nil {
			t.Fatal(err)
		}
		id := uuid.Must(uuid.NewV7())
		s.Register(t.Context(), flush.Node{ID: id, Name: "bench"}, time.Hour)
		var want []flush.Ownership
		for p := range uint32(271) {
			want = append(want, flush.Ownership{Partition: p})
		}
		s.Claim(t.Context(), id, want)
		s.Close()
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(t.Context())
		v := &variant{name: name, c: c, id: id}
		c.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&v.pid)
		var def string
		c.QueryRow(t.Context(), "select pg_get_functiondef('pinocchio_flush_v1'::regproc)").Scan(&def)
		switch name {
		case "plain":
			def = strings.Replace(def, "array_agg(value order by key)", "array_agg(value)", 1)
		case "none":
			a := strings.Index(def, "with upserted as (")
			b := strings.Index(def, "if written <>")
			def = def[:a] + `insert into counters as c (key, value)
        select u.key, u.delta from unnest(in_keys, in_deltas) as u (key, delta) order by u.key collate "C"
        on conflict (key) do update set value = c.value + excluded.value, updated_at = now();
		get diagnostics written = row_count;
` + def[b:]
		case "dynamic":
			def = strings.Replace(def, `order by u.key collate "C"`, "", 1)
			def = strings.Replace(def, "array_agg(value order by key)", "array_agg(value)", 1)
		}
		if _, err := c.Exec(t.Context(), def); err != nil {
			t.Fatal(name, err)
		}
		vs = append(vs, v)
	}
	type chunk struct {
		keys   []string
		deltas []int64
		parts  []int32
		epochs, from, to []int64
	}
	var chunks []*chunk
	for _, batches := range benchBatches() {
		one := &chunk{}
		for _, batch := range batches {
			one.parts = append(one.parts, int32(batch.Partition))
			one.epochs = append(one.epochs, 1)
			one.from = append(one.from, 0)
			one.to = append(one.to, 1)
			for _, d := range batch.Deltas {
				one.keys, one.deltas = append(one.keys, d.Key), append(one.deltas, d.Delta)
			}
		}
		slices.Sort(one.keys)
		chunks = append(chunks, one)
	}
	for _, v := range vs {
		v.base = cpu(v.pid)
	}
	keys := 0
	for range 8 {
		for _, one := range chunks {
			keys += len(one.keys)
			for _, v := range vs {
				start := time.Now()
				var err error
				if v.name == "bare" {
					_, err = v.c.Exec(t.Context(), `insert into counters as c (key, value)
				select k, d from unnest($1::text[], $2::bigint[]) as u (k, d) order by k
				on conflict (key) do update set value = c.value + excluded.value, updated_at = now()`, one.keys, one.deltas)
				} else {
					origins := make([][16]byte, len(one.parts))
					for i := range origins {
						origins[i] = v.id
					}
					var ok bool
					var vals []int64
					err = v.c.QueryRow(t.Context(), "select applied, new_values from pinocchio_flush_v1($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)",
						[16]byte(v.id), one.parts, one.epochs, make([]*string, len(one.parts)), one.parts, origins, one.from, one.to, one.keys, one.deltas,
						[]string{}, [][]byte{}, []int64{}, []int32{}, []string{}).Scan(&ok, &vals)
					if !ok || (v.name != "none" && len(vals) != len(one.keys)) {
						t.Fatal(ok, len(vals), err)
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				v.wall += time.Since(start)
			}
			for i := range one.from {
				one.from[i]++
				one.to[i]++
			}
		}
	}
	for _, v := range vs {
		c := cpu(v.pid) - v.base
		fmt.Printf("%-8s cpu %.2fs wall %v per key %.2f us cpu\n", v.name, c, v.wall, c/float64(keys)*1e6)
	}
}
