package ring

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a checked-in file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("it differs from %s. If that is meant, clusters of the old build cannot be joined by the new one: "+
			"change what names the algorithm, then run with -update", path)
	}
}

// R11 holds between builds only as long as this file stays as it is.
func TestNew_PlacesAsInTheGoldenFile(t *testing.T) {
	var b strings.Builder
	small := Settings{Partitions: 23, ReplicationFactor: 20, Load: 1.25}
	for _, c := range []struct {
		s       Settings
		members []string
	}{
		{Default(), nil},
		{Default(), nodes("node", 1)},
		{Default(), nodes("node", 2)},
		{Default(), nodes("node", 3)},
		{Default(), nodes("node", 4)},
		{Default(), nodes("node", 7)},
		{Default(), []string{"eu", "ünïcode", "a b"}},
		{small, nodes("node", 3)},
		{small, nodes("node", 5)},
	} {
		table := build(t, c.s, c.members...)
		fmt.Fprintf(&b, "%s\nmembers %q\nversion %s\nowners", c.s.Version(), table.Members(), table.Version())
		for p, owner := range table.Owners() {
			if p%40 == 0 {
				b.WriteString("\n ")
			}
			fmt.Fprintf(&b, " %d", owner)
		}
		b.WriteString("\n\n")
	}
	golden(t, "placement.golden", b.String())
}

// A key's partition stands in the store through the ledger: it must never change.
func TestPartition_IsAsInTheGoldenFile(t *testing.T) {
	var b strings.Builder
	for _, key := range []string{"", "a", "key1", "page:1", "a/b", "ключ", "\xff\xfe", strings.Repeat("k", 512)} {
		for _, count := range []uint32{1, 2, 271, MaxPartitions} {
			p := Partition([]byte(key), count)
			if p >= count || p != PartitionString(key, count) {
				t.Errorf("%q is in %d of %d, as a string in %d", key, p, count, PartitionString(key, count))
			}
			fmt.Fprintf(&b, "%.20q %d of %d\n", key, p, count)
		}
	}
	golden(t, "partition.golden", b.String())
}
