package check

import (
	"bytes"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// rulesOf reads alert rules as Prometheus does. A field that it does not know is an error.
func rulesOf(text []byte) (map[string]rulefmt.Rule, []error) {
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return nil, errs
	}
	rules := make(map[string]rulefmt.Rule)
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			rules[r.Alert] = r
		}
	}
	return rules, nil
}

func alerts(t *testing.T) (text []byte, rules map[string]rulefmt.Rule) {
	t.Helper()
	text, err := os.ReadFile("../alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, errs := rulesOf(text)
	if len(errs) > 0 || len(rules) < 10 {
		t.Fatalf("%d rules: %v", len(rules), errs)
	}
	return text, rules
}

func TestAlerts_AreThoseThatPrometheusTakes(t *testing.T) {
	text, rules := alerts(t)
	for name, r := range rules {
		if severity := r.Labels["severity"]; severity != "warning" && severity != "critical" || r.Annotations["summary"] == "" {
			t.Errorf("%s: severity %q, summary %q", name, severity, r.Annotations["summary"])
		}
	}
	for was, is := range map[string]string{
		"for: 1m":                   "for: soon",
		"> 30\n":                    "> \n",
		"histogram_quantile(0.99, ": "quantiles_over_time(\"phi\", 0.5, ", // MetricsQL has it, PromQL does not
		"[5m])":                     "[5mm])",
		"        labels:":           "        label:",
		"$labels.instance":          "$labels.instance | nosuch",
	} {
		broken := strings.ReplaceAll(string(text), was, is)
		if _, errs := rulesOf([]byte(broken)); broken == string(text) || len(errs) == 0 {
			t.Errorf("it is not noticed when %q becomes %q", was, is)
		}
	}
}

// repeat returns n times the same value.
func repeat(value float64, n int) []float64 { return slices.Repeat([]float64{value}, n) }

func join(parts ...[]float64) []float64 { return slices.Concat(parts...) }

// rising returns n values from one on, each larger by step than the one before.
func rising(from, step float64, n int) (all []float64) {
	for k := range n {
		all = append(all, from+float64(k)*step)
	}
	return all
}

// Series in, alert out: four samples are a minute.
func TestAlerts_FireWhenTheyShould(t *testing.T) {
	_, rules := alerts(t)
	const up, lost = `up{job="pinocchio",instance="a"}`, `pinocchio_lost_operations_total{instance="a"}`
	const repeated, forged = `pinocchio_peer_replayed_total{instance="a",kind="repeated"}`, `pinocchio_peer_forged_answers_total{instance="a"}`
	const misdirected = `pinocchio_peer_replayed_total{instance="a",kind="misdirected"}`
	const leased, alive = `pinocchio_members{instance="a",state="leased"}`, `pinocchio_members{instance="b",state="alive"}`
	const within2 = `pinocchio_flush_duration_seconds_bucket{instance="a",le="2"}`
	const fast, slow = `pinocchio_flush_duration_seconds_bucket{instance="a",le="1"}`, `pinocchio_flush_duration_seconds_bucket{instance="a",le="+Inf"}`
	for _, c := range []struct {
		alert string
		what  string
		given series
		fires bool
	}{
		{"PinocchioNodeMissing", "all answer", series{up: repeat(1, 20)}, false},
		{"PinocchioNodeMissing", "a restart of 30 s", series{up: join(repeat(1, 8), repeat(0, 3), repeat(1, 8))}, false},
		{"PinocchioNodeMissing", "gone for two minutes", series{up: join(repeat(1, 8), repeat(0, 9))}, true},
		{"PinocchioNodeMissing", "of another job", series{`up{job="other"}`: repeat(0, 20)}, false},
		{"PinocchioOperationsLost", "nothing is lost", series{lost: repeat(0, 20)}, false},
		{"PinocchioOperationsLost", "the next process begins with it", series{lost: join(repeat(0, 8), repeat(none, 2), repeat(3, 2))}, true},
		{"PinocchioOperationsLost", "known before the first scrape, and for long", series{lost: repeat(3, 400)}, true},
		{"PinocchioMembersDiffer", "they agree", series{leased: repeat(3, 20), alive: repeat(3, 20)}, false},
		{"PinocchioMembersDiffer", "one hears two of three", series{leased: repeat(3, 20), alive: repeat(2, 20)}, true},
		{"PinocchioFlushSlow", "one of a thousand", series{fast: rising(0, 999, 60), within2: rising(0, 1000, 60), slow: rising(0, 1000, 60)}, false},
		{"PinocchioFlushSlow", "one of ten", series{fast: rising(0, 9, 60), within2: rising(0, 10, 60), slow: rising(0, 10, 60)}, true},
		{"PinocchioForgery", "a restart at an address", series{repeated: repeat(0, 20), forged: repeat(0, 20), misdirected: rising(0, 1, 20)}, false},
		{"PinocchioForgery", "made-up answers", series{repeated: repeat(0, 20), forged: join(repeat(0, 10), repeat(1, 10))}, true},
		{"PinocchioForgery", "repeated messages alone", series{repeated: join(repeat(0, 10), repeat(1, 10))}, true},
	} {
		r, found := rules[c.alert]
		if !found {
			t.Errorf("there is no %s", c.alert)
			continue
		}
		held := c.given.longest(t, r.Expr)
		if fires := held >= time.Duration(r.For); fires != c.fires {
			t.Errorf("%s, %s: held for %v of %v", c.alert, c.what, held, time.Duration(r.For))
		}
	}
}

// configuration is as much of Prometheus' as is used here; more is a fault of the file or needs a line here.
type configuration struct {
	Global    map[string]model.Duration `yaml:"global"`
	RuleFiles []string                  `yaml:"rule_files"`
	Scrape    []struct {
		Job    string `yaml:"job_name"`
		Static []struct {
			Targets []string `yaml:"targets"`
		} `yaml:"static_configs"`
		DNS []struct {
			Names   []string       `yaml:"names"`
			Type    string         `yaml:"type"`
			Port    int            `yaml:"port"`
			Refresh model.Duration `yaml:"refresh_interval"`
		} `yaml:"dns_sd_configs"`
		Relabel []relabel.Config `yaml:"relabel_configs"`
	} `yaml:"scrape_configs"`
}

// compose is what the file of containers has of it.
type compose struct {
	Services map[string]struct {
		Volumes  []string
		Profiles []string
	}
}

func load(t *testing.T, path string, strict bool, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(strict)
	if err := decoder.Decode(to); err != nil {
		t.Fatal(err)
	}
}

// Red when a node of the compose file is not scraped, or the job has not the name that the alerts ask for.
func TestConfiguration_ScrapesEveryNodeOfTheComposeFile(t *testing.T) {
	var c configuration
	var containers compose
	load(t, "../prometheus.yml", true, &c)
	load(t, "../../../docker-compose.cluster.yml", false, &containers)
	var always, sometimes []string // those in a profile are not there unless somebody asks
	for _, name := range slices.Sorted(maps.Keys(containers.Services)) {
		switch {
		case !strings.HasPrefix(name, "node"):
		case len(containers.Services[name].Profiles) == 0:
			always = append(always, name+":3333")
		default:
			sometimes = append(sometimes, name)
		}
	}
	if len(c.Scrape) != 1 || c.Scrape[0].Job != "pinocchio" || len(c.Scrape[0].Static) != 1 || len(c.Scrape[0].DNS) != 1 {
		t.Fatalf("one job called pinocchio, got %+v", c.Scrape)
	}
	if got := slices.Sorted(slices.Values(c.Scrape[0].Static[0].Targets)); len(always) == 0 || !slices.Equal(got, always) {
		t.Errorf("it always scrapes %v, the nodes are %v", got, always)
	}
	if dns := c.Scrape[0].DNS[0]; len(sometimes) == 0 || !slices.Equal(dns.Names, sometimes) || dns.Port != 3333 || dns.Type != "A" {
		t.Errorf("it looks for %+v, the further nodes are %v", dns, sometimes)
	}
	if !slices.Equal(c.RuleFiles, []string{"/etc/prometheus/alerts.yml"}) || !slices.Contains(containers.Services["prometheus"].Volumes, "./deploy/prometheus:/etc/prometheus:ro") {
		t.Errorf("the rules are %v, mounted by %v", c.RuleFiles, containers.Services["prometheus"].Volumes)
	}
}
