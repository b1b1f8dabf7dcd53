package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// partitions is the number of partitions of a cluster that was not told another one.
const partitions = 271

// partitionOf is the partition of a key, written down here once more: what the nodes think is under test.
func partitionOf(key string) int { return int(xxhash.Sum64String(key) % partitions) }

// keyIn returns a key that begins with prefix and lies in the partition.
func keyIn(partition int, prefix string) string {
	for i := 0; ; i++ {
		if key := prefix + strconv.Itoa(i); partitionOf(key) == partition {
			return key
		}
	}
}

// rows runs SQL past the service and returns the rows' columns. Safe for concurrent use.
func (t *trial) rows(sql string) (rows [][]string, err error) {
	text, err := t.pg.SQL(database, sql)
	if err != nil || text == "" {
		return nil, err
	}
	for line := range strings.SplitSeq(text, "\n") {
		rows = append(rows, strings.Split(line, "|"))
	}
	return rows, nil
}

// tableSum is the sum of all counters.
func (t *trial) tableSum() (string, error) {
	return t.pg.SQL(database, "select coalesce(sum(value), 0) from counters")
}

// counter is one row of the table.
type counter struct {
	value   int64
	updated time.Time // begin of the flush that wrote it last
}

// table reads the counters whose keys begin with a prefix that holds nothing special.
func (t *trial) table(prefix string) (map[string]counter, error) {
	rows, err := t.rows(fmt.Sprintf(
		"select key, value, (extract(epoch from updated_at) * 1000000)::bigint from counters where starts_with(key, '%s')", prefix))
	if err != nil {
		return nil, err
	}
	counters := make(map[string]counter, len(rows))
	for _, r := range rows {
		value, err := strconv.ParseInt(r[1], 10, 64)
		if err != nil {
			return nil, err
		}
		updated, err := strconv.ParseInt(r[2], 10, 64)
		if err != nil {
			return nil, err
		}
		counters[r[0]] = counter{value: value, updated: time.UnixMicro(updated)}
	}
	return counters, nil
}

// loadValues lets the bench package read the table past the service.
type loadValues struct{ *trial }

// Values implements bench.StoreReader.
func (v loadValues) Values(_ context.Context, keys []string) (map[string]int64, error) {
	table, err := v.table(loadPrefix)
	if err != nil {
		return nil, err
	}
	values := make(map[string]int64, len(keys))
	for _, key := range keys {
		if c, ok := table[key]; ok {
			values[key] = c.value
		}
	}
	return values, nil
}

// ownedBy returns the partitions that Postgres says are the node's.
func (t *trial) ownedBy(m *member) (map[int]bool, error) {
	rows, err := t.rows(fmt.Sprintf(
		"select partition from partition_owner o join nodes n on n.id = o.owner where n.name = '%s' and n.closed_at is null", m.Name))
	if err != nil {
		return nil, err
	}
	owned := make(map[int]bool, len(rows))
	for _, r := range rows {
		partition, err := strconv.Atoi(r[0])
		if err != nil {
			return nil, err
		}
		owned[partition] = true
	}
	return owned, nil
}
