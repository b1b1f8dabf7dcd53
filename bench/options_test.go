package bench

import (
	"slices"
	"strings"
	"testing"
)

func TestOptions_NameEveryFaultAtOnce(t *testing.T) {
	o := Options{
		Targets: []string{"ftp://a:1", "b"}, Connections: -1, Requests: -1, Duration: -1, Pipeline: 5000, Batch: maxBatch + 1, Rate: -1, Token: "a\r\nsesame",
		KeyPrefix: strings.Repeat("x", 600), Distribution: "normal", Value: maxValue + 1, Durability: "a\r\nb",
		Store: table(func(map[string]int64) error { return nil }), MaxDrifts: -1,
	}
	err := o.Validate()
	if err == nil {
		t.Fatal("valid")
	}
	for _, want := range []string{
		`"ftp://a:1"`, `"b"`, "connections:", "requests:", "duration:", "pipeline:", "batch:", "rate:", "token:", "keys:", "key prefix:",
		"distribution:", "value:", "durability:", "store:", "max drifts:", "\ntimeout:", "ready timeout:", "probe interval:",
		"verify timeout:", "progress interval:",
	} {
		if !strings.Contains("\n"+err.Error(), want) {
			t.Errorf("does not name %s in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "sesame") {
		t.Errorf("shows the token: %v", err)
	}
}

func TestOptions_DefaultsNeedOnlyAnEnd(t *testing.T) {
	o := DefaultOptions()
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "never ends") {
		t.Errorf("without an end: %v", err)
	}
	o.Requests = 1
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
	o.Verify, o.Value = true, 0
	if err := o.Validate(); err == nil {
		t.Error("verifies with value 0")
	}
	o.Value, o.KeyPrefix = 1, "a\x00"
	if err := o.Validate(); err == nil {
		t.Error("a key with NUL is valid")
	}
}

func TestOptions_ReadTargets(t *testing.T) {
	for target, want := range map[string]string{
		"http://127.0.0.1:3333":  "127.0.0.1:3333",
		"http://127.0.0.1:3333/": "127.0.0.1:3333",
		"127.0.0.1:3333":         "127.0.0.1:3333",
		"node-1:3333":            "node-1:3333",
		"http://example.test":    "example.test:80",
		"[::1]:3333":             "[::1]:3333",
		"http://[::1]":           "[::1]:80",
		"https://a:1":            "a:1",
		"https://[::1]":          "[::1]:443",
		"ftp://a:1":              "",
		"http://a:1/path":        "",
		"http://u:p@a:1":         "",
		"http://a:1?x=1":         "",
		"http://a b":             "",
		"a":                      "",
		":3333":                  "",
		"a:0":                    "",
		"a:65536":                "",
		"a:http":                 "",
		"":                       "",
	} {
		got, secure, err := parseTarget(target)
		if got != want || (err == nil) != (want != "") || secure != (want != "" && strings.HasPrefix(target, "https:")) {
			t.Errorf("%q: %q, secure %v, %v", target, got, secure, err)
		}
	}
}

func TestKeys_AreTheSameForTheSameSeedAndWorkerOnly(t *testing.T) {
	draw := func(seed uint64, worker int, d Distribution) []int {
		o := DefaultOptions()
		o.Seed, o.Distribution = seed, d
		next := newKeys(o, worker)
		drawn := make([]int, 1000)
		for i := range drawn {
			drawn[i] = next()
		}
		return drawn
	}
	for _, d := range []Distribution{Uniform, Zipf} {
		one := draw(1, 0, d)
		if !slices.Equal(one, draw(1, 0, d)) {
			t.Errorf("%s: another sequence from the same seed", d)
		}
		if slices.Equal(one, draw(2, 0, d)) || slices.Equal(one, draw(1, 1, d)) {
			t.Errorf("%s: the same sequence from another seed or worker", d)
		}
	}
	if one := draw(1, 0, Single); slices.Max(one) != 0 {
		t.Error("single draws several keys")
	}
}

func TestKeys_FollowTheirDistribution(t *testing.T) {
	const draws = 100_000
	count := func(d Distribution) []int {
		o := DefaultOptions()
		o.Keys, o.Distribution = 100, d
		next := newKeys(o, 0)
		counts := make([]int, o.Keys) // a key out of range panics
		for range draws {
			counts[next()]++
		}
		return counts
	}
	if u := count(Uniform); slices.Min(u) < draws/100/2 || slices.Max(u) > draws/100*2 {
		t.Errorf("uniform: %v", u)
	}
	if z := count(Zipf); z[0] < draws/6 || z[0] != slices.Max(z) || z[99] > draws/100/2 {
		t.Errorf("zipf: %v", z)
	}
}
